/** One thing that is wrong with an object. */
export interface FieldError {
  /** Where, as a path such as `spec.workerGroupSpecs[0].groupName`. */
  readonly field: string;
  /** What is wrong, in words that stand on their own (events and conditions carry only these). */
  readonly message: string;
}

/** A list with one error, or none unless `fails`. */
export function failIf(fails: boolean, field: string, message: string): FieldError[] {
  return fails ? [{ field, message }] : [];
}
