import { GridbourseClient } from '@gridbourse/sdk';
import type { Command } from 'commander';
import {
  type Credentials,
  findCredentials,
  findOperatorCredentials,
  saveCredentials,
} from './credentials.ts';

export type GlobalOptions = { json?: boolean; origin?: string; apiKey?: string };

/** What a command works with. */
export type Context = {
  client: GridbourseClient;
  credentials: Credentials;
  json: boolean;
  /** To people when --json is off; nothing otherwise. */
  say: (line?: string) => void;
  /** The command's result for programs: exactly one JSON value on stdout. */
  result: (value: unknown) => void;
};

/** Somebody waits at the keyboard: shorter than what a program would bear. */
const DEADLINE_MS = 10_000;

export const print = (text: string): void => void process.stdout.write(`${text}\n`);

export const globalOptions = (command: Command): GlobalOptions => command.optsWithGlobals<GlobalOptions>();

export const contextOf = (
  command: Command,
  how: { deadlineMs?: number; anonymous?: boolean } = {},
): Context =>
  contextWith(
    command,
    findCredentials({ ...globalOptions(command), anonymous: how.anonymous ?? false }),
    how,
  );

/** For commands that only those who run the platform may use. */
export const operatorContextOf = (command: Command): Context =>
  contextWith(command, findOperatorCredentials(globalOptions(command)), {});

const contextWith = (command: Command, credentials: Credentials, how: { deadlineMs?: number }): Context => {
  const options = globalOptions(command);
  const json = options.json ?? false;
  const client = new GridbourseClient({
    origin: credentials.origin,
    auth:
      credentials.apiKey !== undefined
        ? { apiKey: credentials.apiKey }
        : credentials.tokens
          ? {
              tokens: credentials.tokens,
              onTokens: (tokens) => void saveCredentials({ origin: credentials.origin, tokens }),
            }
          : { none: true },
    deadlineMs: how.deadlineMs ?? DEADLINE_MS,
  });
  return {
    client,
    credentials,
    json,
    say: (line = '') => {
      if (!json) print(line);
    },
    result: (value) => {
      if (json) print(JSON.stringify(value));
    },
  };
};
