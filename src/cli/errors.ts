/** Something the user can mend: printed as one line, without a stack trace; the process ends with `exitCode`. */
export class UserError extends Error {
  override readonly name = "UserError";
  readonly exitCode: number;

  /** `exitCode` 1: the work failed; 2: the command line is wrong. */
  constructor(message: string, exitCode: 1 | 2 = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}
