import type { LoggedRecord } from './record.ts';

/** The record with its value. What is no JSON is kept as the text that it is, with the fault said. */
export const withJsonValue = (record: Omit<LoggedRecord, 'value'>, text: string): LoggedRecord => {
  try {
    return { ...record, value: JSON.parse(text) as unknown };
  } catch (error) {
    return { ...record, value: text, fault: `value_not_json: ${(error as Error).message}` };
  }
};
