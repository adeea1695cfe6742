// Volumes that Ray pods need, and how they are added beside the user's own (objects.md section 9).
import type { Container, PodSpec, Volume, VolumeMount } from "../../api/v1/kubernetes.ts";
import { MountPath, VolumeName } from "../../api/v1/labels.ts";

/** Adds the volume unless the pod has one of that name, whatever its type. */
export function addMissingVolume(spec: PodSpec, volume: Volume): void {
  if (!spec.volumes?.some((existing) => existing.name === volume.name)) {
    spec.volumes = [...(spec.volumes ?? []), volume];
  }
}

export function appendMount(container: Container, mount: VolumeMount): void {
  container.volumeMounts = [...(container.volumeMounts ?? []), mount];
}

/**
 * Gives the container a memory file system at /dev/shm for Ray's object store; the usual 64 MiB there would push it to
 * disk. Its size is the container's memory limit, else its request, else not limited.
 */
export function addSharedMemory(spec: PodSpec, rayContainer: Container): void {
  const size = rayContainer.resources?.limits?.memory ?? rayContainer.resources?.requests?.memory;
  addEmptyDir(spec, rayContainer, MountPath.sharedMemory, {
    name: VolumeName.sharedMemory,
    emptyDir: { medium: "Memory", ...(size !== undefined && { sizeLimit: size }) },
  });
}

/** Shares Ray's session folder between the Ray container and another one that reads or writes logs there. */
export function addRayLogs(spec: PodSpec, rayContainer: Container, other: Container): void {
  for (const container of [rayContainer, other]) {
    addEmptyDir(spec, container, MountPath.rayLogs, { name: VolumeName.rayLogs, emptyDir: {} });
  }
}

/** A container that has something at that path already keeps it, and gets nothing. */
function addEmptyDir(spec: PodSpec, container: Container, mountPath: string, volume: Volume): void {
  if (container.volumeMounts?.some((mount) => mount.mountPath === mountPath)) return;
  addMissingVolume(spec, volume);
  appendMount(container, { name: volume.name, mountPath });
}
