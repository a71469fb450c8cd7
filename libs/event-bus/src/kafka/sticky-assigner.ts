import { AssignerProtocol, type GroupMember, type PartitionAssigner } from 'kafkajs';

export type TopicPartitions = Record<string, number[]>;
export type Member = {
  readonly id: string;
  readonly topics: readonly string[];
  readonly owned: TopicPartitions;
};

const nameOf = (topic: string, partition: number): string => `${topic}/${partition}`;

/**
 * Shares partitions evenly and leaves as many as possible where they are, so that a member that comes or goes disturbs
 * the others as little as it can. Only members that ask for a topic get partitions of it.
 */
export const shareOut = (
  members: readonly Member[],
  partitions: ReadonlyMap<string, number>,
): Map<string, TopicPartitions> => {
  const sorted = [...members].sort((a, b) => (a.id < b.id ? -1 : 1));
  const shares = new Map(sorted.map(({ id }) => [id, [] as { topic: string; partition: number }[]]));
  const taken = new Set<string>();
  const all = [...partitions].flatMap(([topic, count]) =>
    Array.from({ length: count }, (_, partition) => ({ topic, partition })),
  );
  const least = Math.floor(all.length / sorted.length);
  let larger = all.length % sorted.length;
  const give = (id: string, topic: string, partition: number): void => {
    shares.get(id)!.push({ topic, partition });
    taken.add(nameOf(topic, partition));
  };
  for (const { id, topics, owned } of sorted) {
    const mine = topics
      .flatMap((topic) => (owned[topic] ?? []).map((partition) => ({ topic, partition })))
      .filter(
        ({ topic, partition }) =>
          partition < (partitions.get(topic) ?? 0) && !taken.has(nameOf(topic, partition)),
      );
    const keep = mine.length > least && larger > 0 ? least + 1 : least;
    if (mine.length > least && larger > 0) larger -= 1;
    for (const { topic, partition } of mine.slice(0, keep)) give(id, topic, partition);
  }
  for (const { topic, partition } of all) {
    if (taken.has(nameOf(topic, partition))) continue;
    const asking = sorted.filter(({ topics }) => topics.includes(topic));
    const poorest = asking.reduce<Member | null>(
      (best, member) =>
        best && shares.get(best.id)!.length <= shares.get(member.id)!.length ? best : member,
      null,
    );
    if (poorest) give(poorest.id, topic, partition);
  }
  return new Map(
    [...shares].map(([id, share]) => {
      const assignment: TopicPartitions = {};
      for (const { topic, partition } of share) (assignment[topic] ??= []).push(partition);
      return [id, assignment];
    }),
  );
};

const ownedIn = (userData: Buffer | undefined): TopicPartitions => {
  try {
    return JSON.parse(userData?.toString('utf8') || '{}') as TopicPartitions;
  } catch {
    return {};
  }
};

const decode = ({ memberId, memberMetadata }: GroupMember): Member => {
  const metadata = AssignerProtocol.MemberMetadata.decode(memberMetadata);
  return { id: memberId, topics: metadata?.topics ?? [], owned: ownedIn(metadata?.userData) };
};

/** What kafkajs hands to an assigner, as far as it is used here; it declares less. */
export type AssignerCluster = {
  addMultipleTargetTopics(topics: readonly string[]): Promise<void>;
  findTopicPartitionMetadata(topic: string): { partitionId: number }[];
  findGroupCoordinator(query: { groupId: string }): Promise<unknown>;
};

/**
 * @param owned what this member has now
 * @param beforeJoin runs before each joining of the group: the last moment in which what is owned can still be
 *   committed. kafkajs has no hook there; the cluster object that it hands to assigners is the one by which it finds the
 *   coordinator, and it does that only to join.
 */
export const stickyAssigner =
  (owned: () => TopicPartitions, beforeJoin: () => Promise<void>): PartitionAssigner =>
  ({ cluster: declared }) => {
    const cluster = declared as unknown as AssignerCluster;
    const find = cluster.findGroupCoordinator.bind(cluster);
    cluster.findGroupCoordinator = async (query) => {
      await beforeJoin();
      return find(query);
    };
    return {
      name: 'GridbourseSticky',
      version: 1,
      protocol: ({ topics }) => ({
        name: 'GridbourseSticky',
        metadata: AssignerProtocol.MemberMetadata.encode({
          version: 1,
          topics,
          userData: Buffer.from(JSON.stringify(owned())),
        }),
      }),
      assign: async ({ members }) => {
        const decoded = members.map(decode);
        const topics = [...new Set(decoded.flatMap((member) => member.topics))].sort();
        await cluster.addMultipleTargetTopics(topics);
        const counts = new Map(
          topics.map((topic) => [topic, cluster.findTopicPartitionMetadata(topic).length]),
        );
        return [...shareOut(decoded, counts)].map(([memberId, assignment]) => ({
          memberId,
          memberAssignment: AssignerProtocol.MemberAssignment.encode({
            version: 1,
            assignment,
            userData: Buffer.alloc(0),
          }),
        }));
      },
    };
  };
