// config/samples: every file can be applied as it is and gives pods.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { defaultFeatureGates } from "../../api/v1/feature-gates.ts";
import { defaultSettings } from "../../controllers/shared/settings.ts";
import { readManifests } from "../../src/cli/manifests.ts";
import { clusterOf, isRayCluster } from "../../src/cli/ray-manifests.ts";
import { renderCluster } from "../../src/cli/render.ts";
import { errorsOf } from "../../src/cli/validate.ts";

const folder = join(import.meta.dirname, "../../config/samples");
const names = readdirSync(folder).filter((name) => name.endsWith(".yaml"));

describe("the samples", () => {
  it("are there under the names that guides for KubeRay use", () => {
    expect(names).to.include.members([
      "ray-cluster.sample.yaml",
      "ray-cluster.complete.yaml",
      "ray-cluster.autoscaler.yaml",
      "ray-cluster.autoscaler-v2.yaml",
      "ray-cluster.custom-head-service.yaml",
      "ray-cluster.overwrite-command.yaml",
      "ray-cluster.tpu-v6e-16-multihost.yaml",
      "ray_v1_raycluster.mini.yaml",
      "ray_v1_raycluster.heterogeneous.yaml",
      "ray_v1_raycluster.complete.yaml",
    ]);
  });

  it("have names of their own, so that all can be applied together", () => {
    const objects = readManifests(names.map((name) => join(folder, name))).map(({ kind, name }) => `${kind} ${name}`);
    expect(objects).to.have.lengthOf(new Set(objects).size);
  });

  for (const name of names) {
    it(`${name} is valid, without unknown fields, and gives a head pod`, () => {
      const clusters = readManifests([join(folder, name)]).filter(isRayCluster);
      expect(clusters).to.have.lengthOf(1);
      for (const manifest of clusters) {
        expect(errorsOf(manifest, defaultFeatureGates, "refuse")).to.deep.equal([]);
        const objects = renderCluster(clusterOf(manifest), defaultSettings()) as { kind: string }[];
        expect(objects.filter(({ kind }) => kind === "Pod")).to.have.lengthOf.at.least(1);
      }
    });
  }
});
