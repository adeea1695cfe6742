// The command and arguments of containers that run a generated command (objects.md section 7).
import type { Container } from "../../api/v1/kubernetes.ts";
import type { Settings } from "./settings.ts";

/** `command` for a container whose only argument is a bash script; `options` are more letters for bash, such as `e`. */
export function shellCommand(settings: Settings, options = ""): string[] {
  return ["/bin/bash", `-c${options}${settings.enableLoginShell ? "l" : ""}`, "--"];
}

/**
 * Command and arguments of the Ray container: the user's words first, because `ray start --block` never returns.
 * Undefined if they stay as the user wrote them: the annotation says so (`keep`), or they start Ray themselves.
 */
export function rayCommand(
  rayContainer: Container,
  rayStart: string,
  settings: Settings,
  keep: boolean,
): Pick<Container, "command" | "args"> | undefined {
  const words = [...(rayContainer.command ?? []), ...(rayContainer.args ?? [])];
  const users = words.map((word) => ` ${word} `).join("");
  if (keep || users.includes("ray start")) return undefined;
  const generated = `ulimit -n \${RAY_START_ULIMIT_OPEN_FILES:-65536}; ${rayStart}`;
  return { command: shellCommand(settings), args: [users === "" ? generated : `${users} && ${generated}`] };
}
