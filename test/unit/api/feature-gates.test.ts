import { expect } from "chai";
import { defaultFeatureGates, type FeatureGates, parseFeatureGates } from "../../../api/v1/feature-gates.ts";

function gatesOf(text: string): FeatureGates {
  const parsed = parseFeatureGates(text);
  if ("error" in parsed) throw new Error(parsed.error);
  return parsed.gates;
}

describe("feature gates", () => {
  it("are on from beta and off in alpha", () => {
    expect(defaultFeatureGates).to.include({ RayClusterStatusConditions: true, RayCronJob: false });
    expect(gatesOf("")).to.deep.equal(defaultFeatureGates);
  });

  it("are set one by one, with spaces where people put them", () => {
    expect(gatesOf(" RayCronJob=true , RayMultiHostIndexing = F ")).to.deep.equal({
      ...defaultFeatureGates,
      RayCronJob: true,
      RayMultiHostIndexing: false,
    });
  });

  it("are set by stage, where a gate's own setting wins wherever it stands", () => {
    const gates = gatesOf("RayCronJob=false,AllAlpha=true,AllBeta=0,RayMultiHostIndexing=1");
    expect(gates).to.include({ RayCronJob: false, KubernetesWAS: true, RayMultiHostIndexing: true });
    expect(gates.RayJobDeletionPolicy).to.equal(false);
  });

  for (const text of ["RayCronJob", "RayCronJob=yes", "RayCronJob=", "Unknown=true", "constructor=true"]) {
    it(`refuse "${text}" with a sentence that names it`, () => {
      const parsed = parseFeatureGates(text);
      expect(parsed).to.have.property("error").that.includes(text.split("=")[0]);
    });
  }
});
