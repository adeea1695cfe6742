// What a generator gives to tools/generate.ts.

/** One generated file. */
export interface GeneratedFile {
  /** Relative to the root of the repository. */
  readonly path: string;
  readonly content: string;
  /** Whether a file with this text need not be written again; without it: when the texts are equal. */
  readonly isFresh?: (existing: string) => boolean;
}

/** Computes files without writing them. */
export type Generator = () => GeneratedFile[] | Promise<GeneratedFile[]>;
