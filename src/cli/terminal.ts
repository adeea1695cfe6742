// Colours, only where a terminal shows them.
import type { Writable } from "node:stream";

const codes = { bold: "1", red: "31", green: "32", yellow: "33", grey: "90" } as const;

/** Wraps text in a colour, or gives it back as it is. */
export type Paint = (colour: keyof typeof codes, text: string) => string;

/** The way to colour what is written to `stream`: not at all unless it is a terminal and NO_COLOR is unset. */
export function painter(stream: Writable & { readonly isTTY?: boolean }, environment = process.env): Paint {
  const on = stream.isTTY === true && !environment.NO_COLOR && environment.TERM !== "dumb";
  return (colour, text) => (on ? `\u001b[${codes[colour]}m${text}\u001b[0m` : text);
}
