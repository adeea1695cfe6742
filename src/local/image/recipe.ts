import { createHash } from "node:crypto";
import { requirements } from "./requirements.ts";

/** The Ray inside the image. Samples name several versions; all of them get this one. */
export const rayVersion = "2.52.0";

/** The image's home and virtual environment: the layout of rayproject/ray, which samples rely on. */
const home = "/home/ray";
export const virtualEnvironment = `${home}/anaconda3`;
export const caBundle = "/etc/ssl/certs/ca-certificates.crt";
export const wheelFolder = "/opt/wheels";

export const base = {
  suite: "bookworm",
  /** wget runs in Ray's probes; curl, openssl, procps and sudo are what samples and tests call in the Ray image. */
  packages: [
    "ca-certificates",
    "curl",
    "iproute2",
    "openssl",
    "procps",
    "python3",
    "python3-venv",
    "redis-server",
    "redis-tools",
    "sudo",
    "wget",
  ],
  /** As in rayproject/ray: user ray (1000) in group users (100). */
  user: { name: "ray", uid: 1000, gid: 100, home },
  /** Not needed at run time: 60 MB less to hash, import and unpack. */
  removed: ["usr/share/doc", "usr/share/man", "usr/share/locale", "var/cache/apt", "var/lib/apt/lists", "var/log"],
} as const;

/** What pip installs into the virtual environment. */
export const pythonPackages = [`ray[default,serve]==${rayVersion}`, ...requirements];

/** What the samples' `runtime_env: pip` asks for: kept in the image, so that no job waits for a build or a download. */
export const wheels = ["requests==2.26.0", "pendulum==2.1.2", "locust==2.32.10"] as const;

/** What `docker run` would see: the part of the OCI image configuration that we set. */
export interface ImageConfig {
  readonly Env: readonly string[];
  readonly User?: string;
  readonly WorkingDir?: string;
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
}

export type LayerName = "base" | "ray";

export interface ImageDefinition {
  /** Fully qualified: the container runtime knows no short names. */
  readonly name: string;
  readonly layers: readonly LayerName[];
  readonly config: ImageConfig;
}

const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export const rayImage: ImageDefinition = {
  name: `docker.io/rayproject/ray:${rayVersion}`,
  layers: ["base", "ray"],
  config: {
    Env: [
      `PATH=${virtualEnvironment}/bin:${systemPath}`,
      `HOME=${home}`,
      "LANG=C.UTF-8",
      "RAY_USAGE_STATS_ENABLED=0",
      // Each module of the dashboard has 30 s to start. With a small CPU limit on a busy machine that is missed, the
      // dashboard ends, nothing restarts it, and the head never becomes ready.
      "RAY_DASHBOARD_SUBPROCESS_MODULE_WAIT_READY_TIMEOUT=300",
      // Python's own bundle does not know a CA of the host's network; pip in a runtime_env must.
      `SSL_CERT_FILE=${caBundle}`,
      `REQUESTS_CA_BUNDLE=${caBundle}`,
      `CURL_CA_BUNDLE=${caBundle}`,
      `PIP_CERT=${caBundle}`,
    ],
    User: `${base.user.uid}:${base.user.gid}`,
    WorkingDir: home,
    Cmd: ["bash"],
  },
};

const redisImage: ImageDefinition = {
  name: "docker.io/library/redis:7.4.0",
  layers: ["base"],
  config: {
    Env: [`PATH=${systemPath}`],
    Cmd: ["redis-server", "--protected-mode", "no", "--bind", "0.0.0.0"],
    WorkingDir: "/data",
  },
};

const curlImage: ImageDefinition = {
  name: "docker.io/rancher/curl:latest",
  layers: ["base"],
  config: { Env: [`PATH=${systemPath}`] },
};

/**
 * The pod sandbox. A shell instead of a program of its own: no compiler is needed, it reaps what its pod orphans
 * (`wait`), and ends at once when asked to.
 */
export const pauseImage: ImageDefinition = {
  name: "docker.io/ray-operator/pause:1",
  layers: ["base"],
  config: {
    Env: [`PATH=${systemPath}`],
    Entrypoint: ["/bin/sh", "-c", "trap 'exit 0' INT TERM; while :; do sleep infinity & wait; done"],
  },
};

export const images: readonly ImageDefinition[] = [rayImage, redisImage, curlImage, pauseImage];

/**
 * The other names under which samples and tests ask for these images, by the name they stand for. The runtime uses a
 * name it has and never pulls it.
 */
export const aliases: Readonly<Record<string, readonly string[]>> = {
  [rayImage.name]: [
    ...["2.46.0", "2.46.0-py310", "2.48.0", "2.50.0", "2.51.0", "2.52.0-py310", "2.52.0-py311", "2.53.0"],
    ...["2.55.0", "2.55.1", "2.56.0", "2.57.0", "2.57.0-py310", "2.58.0-py312", "nightly"],
  ].map((tag) => `docker.io/rayproject/ray:${tag}`),
  [redisImage.name]: ["7.4", "5.0.8", "latest"].map((tag) => `docker.io/library/redis:${tag}`),
};

/**
 * Names the images' content: a hash of everything above that goes into a layer or a configuration. Aliases do not
 * count, they are given when a node starts.
 */
export function recipeHash(): string {
  const content = JSON.stringify({ version: 1, base, pythonPackages, wheels, images });
  return createHash("sha256").update(content).digest("hex").slice(0, 16);
}
