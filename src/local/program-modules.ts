// The Go modules in src/local/programs, and the programs that come out of them.

/** The programs by their usual names; `ray-local` is the project's own helper (src/local/programs/ray-local). */
export type ProgramName =
  | "etcd"
  | "kube-apiserver"
  | "kube-controller-manager"
  | "kube-scheduler"
  | "kubelet"
  | "kube-proxy"
  | "kubectl"
  | "kwok"
  | "coredns"
  | "ray-local";

/** One Go module in src/local/programs and what comes out of it. */
export interface ProgramModule {
  readonly folder: string;
  /** The package to build. */
  readonly package: string;
  readonly names: readonly ProgramName[];
  readonly ldflags: string;
}

const KUBERNETES_VERSION = "1.34.4";
const versionPackage = "k8s.io/component-base/version";

/** In the order in which they are built: the small one first. */
export const modules: readonly ProgramModule[] = [
  { folder: "ray-local", package: ".", names: ["ray-local"], ldflags: "-s -w" },
  {
    folder: "kubernetes",
    package: ".",
    names: ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl"],
    // The API server tells its version, and clients decide by it.
    ldflags: [
      "-s -w",
      `-X ${versionPackage}.gitVersion=v${KUBERNETES_VERSION}`,
      `-X ${versionPackage}.gitMajor=${KUBERNETES_VERSION.split(".")[0]}`,
      `-X ${versionPackage}.gitMinor=${KUBERNETES_VERSION.split(".")[1]}`,
      `-X ${versionPackage}.gitTreeState=clean`,
    ].join(" "),
  },
  { folder: "kwok", package: "sigs.k8s.io/kwok/cmd/kwok", names: ["kwok"], ldflags: "-s -w" },
  { folder: "coredns", package: ".", names: ["coredns"], ldflags: "-s -w" },
];
