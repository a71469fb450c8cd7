/** The NOTIFY channel on which consumers that share a database are told that there may be work. */
export const WAKE_CHANNEL = 'gridbourse_bus';
/** Payload that says: keys are to be replayed. Any other is `<id of the bus> <topic>,<topic>`. */
export const WAKE_FOR_REPLAY = 'replay';
