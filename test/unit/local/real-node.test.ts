import { expect } from "chai";
import { pickMirror } from "../../../src/local/image/debian.ts";
import { aliases, images, rayImage, recipeHash } from "../../../src/local/image/recipe.ts";
import { isReadySince } from "../../../src/local/real/capacity.ts";
import { containerdConfig, kubeletConfig, type NodeAddresses, networkConfig } from "../../../src/local/real/config.ts";
import { removalOf } from "../../../src/local/real/network.ts";

const addresses: NodeAddresses = {
  node: "192.0.2.2",
  dns: "10.96.0.10",
  nodePods: "10.244.0.0/24",
  pods: "10.244.0.0/16",
};

describe("the Debian mirror for the image", () => {
  it("is the archive the host uses for the suite, not another vendor's with a suite of the same name", () => {
    const listing = [
      "'http://vendor.test/linux/debian/dists/bookworm/InRelease' vendor 0",
      "'http://mirror.test/debian/dists/bookworm/InRelease' a 0",
      "'http://mirror.test/debian/dists/bookworm-updates/InRelease' b 0",
      "'http://mirror.test/debian-security/dists/bookworm-security/InRelease' c 0",
      "'http://mirror.test/debian/dists/bookworm/main/binary-amd64/Packages.xz' d 0",
    ].join("\n");
    expect(pickMirror(listing, "bookworm")).to.equal("http://mirror.test/debian");
  });

  it("is the only archive that has the suite when there is no suite of updates", () => {
    expect(pickMirror("'file:/media/disc/dists/bookworm/InRelease' a 0", "bookworm")).to.equal("file:/media/disc");
  });

  it("is left to debootstrap when the host has no such suite", () => {
    expect(pickMirror("'http://mirror.test/ubuntu/dists/noble/InRelease' a 0", "bookworm")).to.equal(undefined);
    expect(pickMirror("", "bookworm")).to.equal(undefined);
  });
});

describe("the images' recipe", () => {
  it("has a hash that names a cache folder", () => {
    expect(recipeHash()).to.match(/^[0-9a-f]{16}$/);
    expect(recipeHash()).to.equal(recipeHash());
  });

  it("gives full names only, each to one image", () => {
    const names = [...images.map(({ name }) => name), ...Object.values(aliases).flat()];
    expect(new Set(names).size).to.equal(names.length);
    for (const name of names) expect(name).to.match(/^docker\.io\/[a-z-]+\/[a-z]+:[\w.-]+$/);
    expect(Object.keys(aliases)).to.include(rayImage.name);
  });
});

describe("a killed node's iptables rules", () => {
  const ours = 'name: \\"ray-operator\\" id: \\"583b\\"';

  it("are removed in one step: rules in the kernel's own chains first, then the chains", () => {
    const saved = [
      "*nat",
      ":PREROUTING ACCEPT [0:0]",
      ":POSTROUTING ACCEPT [0:0]",
      ":KUBE-SERVICES - [0:0]",
      ":KUBE-MARK-MASQ - [0:0]",
      "-A PREROUTING -j KUBE-SERVICES",
      "-A POSTROUTING -s 10.244.0.0/24 ! -d 10.244.0.0/16 -m comment --comment ray-operator-node -j MASQUERADE",
      "-A POSTROUTING -s 172.17.0.0/16 -j MASQUERADE",
      "-A KUBE-SERVICES -j KUBE-MARK-MASQ",
      "COMMIT",
    ].join("\n");
    expect(removalOf(saved, "nat")?.split("\n")).to.deep.equal([
      "*nat",
      "-D PREROUTING -j KUBE-SERVICES",
      "-D POSTROUTING -s 10.244.0.0/24 ! -d 10.244.0.0/16 -m comment --comment ray-operator-node -j MASQUERADE",
      "-F KUBE-SERVICES",
      "-F KUBE-MARK-MASQ",
      "-X KUBE-SERVICES",
      "-X KUBE-MARK-MASQ",
      "COMMIT",
      "",
    ]);
  });

  it("leave another runtime's port mappings alone", () => {
    const saved = [
      ":CNI-HOSTPORT-DNAT - [0:0]",
      ":CNI-DN-ours - [0:0]",
      ":CNI-DN-other - [0:0]",
      "-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT",
      `-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat ${ours}" -m multiport --dports 80 -j CNI-DN-ours`,
      '-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat name: \\"podman\\" id: \\"1\\"" -j CNI-DN-other',
      "-A CNI-DN-ours -p tcp -j DNAT --to-destination 10.244.0.2:80",
    ].join("\n");
    const removal = removalOf(saved, "nat") ?? "";
    expect(removal).to.contain("-D CNI-HOSTPORT-DNAT").and.to.contain("-X CNI-DN-ours");
    expect(removal).not.to.contain("CNI-DN-other");
    expect(removal).not.to.contain("-X CNI-HOSTPORT-DNAT");
  });

  it("take the port mappings' common chains along when nobody else uses them", () => {
    const saved = [
      ":CNI-HOSTPORT-DNAT - [0:0]",
      ":CNI-DN-ours - [0:0]",
      "-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT",
      `-A CNI-HOSTPORT-DNAT -m comment --comment "dnat ${ours}" -j CNI-DN-ours`,
    ].join("\n");
    expect(removalOf(saved, "nat")).to.contain("-D PREROUTING").and.to.contain("-X CNI-HOSTPORT-DNAT");
  });

  it("need nothing done when there are none", () => {
    expect(removalOf(":INPUT ACCEPT [0:0]\n-A INPUT -i lo -j ACCEPT", "filter")).to.equal(undefined);
  });
});

describe("a real node", () => {
  const at = (time: string, status = "True") => ({
    metadata: { name: "node1" },
    status: { conditions: [{ type: "Ready", status, lastHeartbeatTime: time }] },
  });
  const started = Date.parse("2026-01-01T10:00:00.900Z");

  it("is Ready only by a report of this start, which has whole seconds", () => {
    expect(isReadySince(at("2026-01-01T10:00:00Z"), started)).to.equal(true);
    expect(isReadySince(at("2026-01-01T09:59:59Z"), started)).to.equal(false);
    expect(isReadySince(at("2026-01-01T10:00:05Z", "False"), started)).to.equal(false);
    expect(isReadySince(undefined, started)).to.equal(false);
  });

  it("keeps its images and the CPUs written into its status", () => {
    const config = JSON.parse(kubeletConfig(addresses, { clientCa: "/ca", certificate: "/crt", key: "/key" }, 10250));
    expect(config.imageGCHighThresholdPercent).to.equal(100);
    expect(config.nodeStatusUpdateFrequency).to.equal("24h");
    expect(config.clusterDNS).to.deep.equal(["10.96.0.10"]);
  });

  it("starts containers without the right to lower an OOM score, whatever the path of the cache", () => {
    const config = containerdConfig('/a "b"/containerd', "docker.io/x/pause:1", "/usr/lib/cni");
    expect(config).to.contain("restrict_oom_score_adj = true").and.to.contain('root = "/a \\"b\\"/containerd"');
  });

  it("gives pods addresses of its part of the pod range", () => {
    const [network] = JSON.parse(networkConfig(addresses)).plugins;
    expect(network.ipam.ranges).to.deep.equal([[{ subnet: "10.244.0.0/24" }]]);
  });
});
