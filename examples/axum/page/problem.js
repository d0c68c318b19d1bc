// Failures, in words.

/** The message is for people, the details are for developers. */
export class Problem extends Error {
  /** Of the answer, if there is one. */
  status = null;

  constructor(message, details = "") {
    super(message);
    this.details = details;
  }

  /** Both, for a place with one paragraph. */
  get text() {
    return `${this.message} ${this.details}`.trim();
  }

  /** The texts of an OperationOutcome. Other servers may fill in one of its texts only. */
  static fromOutcome(body, status) {
    return Object.assign(fromOutcome(body, status), { status });
  }

  static from(error) {
    if (error instanceof Problem) {
      return error;
    }
    // Of `AbortSignal.timeout`.
    return error.name === "TimeoutError"
      ? new Problem("The server takes too long to answer.")
      : new Problem("This did not work.", error.message);
  }
}

function fromOutcome(body, status) {
  const answer = `The server answered with status ${status}.`;
  try {
    const [{ details, diagnostics }] = JSON.parse(body).issue;
    return details?.text
      ? new Problem(details.text, diagnostics)
      : new Problem(diagnostics ?? answer);
  } catch {
    return new Problem(answer);
  }
}
