import { expect } from "chai";
import { capabilitiesOf } from "../../../src/cli/capabilities.ts";

const groups = (...names: string[]) => ({ groups: names.map((name) => ({ name, versions: [{ version: "v1" }] })) });

describe("what the cluster offers", () => {
  it("is nothing where only Kubernetes' own groups are served", () => {
    const nothing = { ray: false, openShift: false, certManager: false };
    expect(capabilitiesOf(groups("apps", "batch"))).to.deep.equal(nothing);
    expect(capabilitiesOf({})).to.deep.equal(nothing);
  });

  for (const group of ["route.openshift.io", "security.openshift.io", "config.openshift.io"]) {
    it(`is OpenShift where ${group} is served`, () => {
      expect(capabilitiesOf(groups(group)).openShift).to.equal(true);
    });
  }

  it("is not OpenShift because of a stray CRD of one of its groups", () => {
    expect(capabilitiesOf(groups("monitoring.openshift.io")).openShift).to.equal(false);
  });

  it("is cert-manager only in version v1", () => {
    expect(capabilitiesOf(groups("cert-manager.io", "ray.io"))).to.deep.equal({
      ...{ ray: true, openShift: false, certManager: true },
    });
    const old = { groups: [{ name: "cert-manager.io", versions: [{ version: "v1alpha2" }] }] };
    expect(capabilitiesOf(old).certManager).to.equal(false);
  });
});
