import { INTERCONNECTS } from '@gridbourse/events';

/** A network between machines. */
export type Interconnect = (typeof INTERCONNECTS)[number];

const RANKS = Object.fromEntries(INTERCONNECTS.map((name, rank) => [name, rank])) as Readonly<
  Record<Interconnect, number>
>;

/** 0 for the slowest; a network does for whoever asks for one of the same or a lower rank. Null: any will do. */
export const interconnectRank = (name: Interconnect | null): number => (name === null ? 0 : RANKS[name]);
