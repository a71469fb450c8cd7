import { membersOf } from '@gridbourse/local-platform';

/** What can be done to a member. `kill`: as a machine that loses its power; the cluster starts it again. */
export const FAULTS = { kill: 'SIGKILL', pause: 'SIGSTOP', resume: 'SIGCONT' } as const;
export type Fault = keyof typeof FAULTS;

/**
 * Does it to the member of that name.
 * @returns a sentence for the person who asked
 * @throws RangeError when there is no such member, or it does not live
 */
export const inflict = (dataDir: string, fault: Fault, name: string): string => {
  const members = membersOf(dataDir);
  const member = members.find((one) => one.name === name);
  if (!member) {
    const known = members.map((one) => one.name).join(', ') || 'none: no cluster has run on this folder';
    throw new RangeError(`there is no process "${name}" (known: ${known})`);
  }
  if (!member.alive) throw new RangeError(`${name} does not run`);
  process.kill(member.pid, FAULTS[fault]);
  const then = {
    kill: 'the cluster starts it again',
    pause: `it hears nothing until --resume ${name}`,
    resume: 'it goes on',
  }[fault];
  return `${name} (process ${member.pid}): ${FAULTS[fault]} sent; ${then}`;
};
