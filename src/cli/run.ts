// placeholder until manager
export async function runCommand(_args: readonly string[]): Promise<number> {
  return 0;
}
