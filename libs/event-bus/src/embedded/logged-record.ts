import { withJsonValue } from '../delivery/json-value.ts';
import type { LoggedRecord } from '../delivery/record.ts';

/** A row of the log. */
export type LogRow = {
  readonly record_offset: string;
  readonly key: string;
  readonly headers: string;
  readonly value: string;
};

/** A row as the bus knows it. What is no JSON is kept as the text that it is, with the fault said. */
export const loggedRecord = ({ record_offset, key, headers, value }: LogRow): LoggedRecord => {
  const record = { offset: Number(record_offset), key };
  try {
    return withJsonValue({ ...record, headers: JSON.parse(headers) as unknown }, value);
  } catch (error) {
    return { ...record, headers, value, fault: `headers_not_json: ${(error as Error).message}` };
  }
};
