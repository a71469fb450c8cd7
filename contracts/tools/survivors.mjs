/** Mutants that no test notices, and why none can: what they take away is kept up by something else. */
export const SURVIVORS = {};
