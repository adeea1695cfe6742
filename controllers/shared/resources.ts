// Where the API server serves the kinds that the controllers read and write.
import type { ResourceType } from "../../src/kube/types.ts";

const core = (kind: string, plural: string) => resource("v1", kind, plural);

export const pods = core("Pod", "pods");
export const services = core("Service", "services");
export const serviceAccounts = core("ServiceAccount", "serviceaccounts");
export const secrets = core("Secret", "secrets");
export const persistentVolumeClaims = core("PersistentVolumeClaim", "persistentvolumeclaims");
export const jobs = resource("batch/v1", "Job", "jobs");
export const roles = resource("rbac.authorization.k8s.io/v1", "Role", "roles");
export const roleBindings = resource("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings");
export const ingresses = resource("networking.k8s.io/v1", "Ingress", "ingresses");
export const networkPolicies = resource("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies");
export const routes = resource("route.openshift.io/v1", "Route", "routes");

export const rayClusters = resource("ray.io/v1", "RayCluster", "rayclusters");

function resource(apiVersion: string, kind: string, plural: string): ResourceType {
  return { apiVersion, kind, plural, namespaced: true };
}
