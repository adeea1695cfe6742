// How a job, an application or a pod says what is to become of it: a few words such as `fail,running=10s`.

/** The words of a script: `fail,running=10s` is `{ fail: "", running: "10s" }`. */
export type Script = ReadonlyMap<string, string>;

export function parseScript(text: string | undefined): Script {
  const words = (text ?? "").split(",").map((word) => word.trim());
  return new Map(
    words
      .filter((word) => word !== "")
      .map((word) => {
        const [name = "", value = ""] = word.split("=");
        return [name.trim(), value.trim()];
      }),
  );
}

/** The script behind `simulate:` in a text, as in `python train.py # simulate:fail,running=10s`. */
export function scriptInText(text: string): Script {
  return parseScript(/\bsimulate:([\w=.,-]+)/.exec(text)?.[1]);
}

/** `500ms`, `10s`, `2m` or `1h` in milliseconds; anything else is `otherwise`. */
export function duration(text: string | undefined, otherwise: number): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text ?? "");
  if (!match) return otherwise;
  const unit = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[match[2] as "ms" | "s" | "m" | "h"];
  return Number(match[1]) * unit;
}
