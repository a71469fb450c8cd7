import { CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import { DomainError } from '@gridbourse/kernel';
import { kubernetesNode, type Machine, machineOf } from '../domain/machine.ts';

const DEADLINE_MS = 5_000;

/** The provider's own cluster, read only. */
export class Cluster {
  private readonly core: CoreV1Api;

  constructor(kubeconfig: string) {
    const config = new KubeConfig();
    config.loadFromString(kubeconfig);
    this.core = config.makeApiClient(CoreV1Api);
  }

  /**
   * The machines as they are now.
   * @throws DomainError `cluster_unreachable` when it does not answer, or not as Kubernetes does
   */
  async machines(): Promise<Machine[]> {
    try {
      const answer = await within(DEADLINE_MS, this.core.listNode());
      return answer.items.map((item) => machineOf(kubernetesNode.parse(item)));
    } catch (error) {
      const why = error instanceof Error ? error.message.split('\n')[0]! : String(error);
      throw new DomainError('unavailable', 'cluster_unreachable', `the cluster gave no inventory: ${why}`, {
        cause: error,
      });
    }
  }
}

const within = async <T>(deadlineMs: number, work: Promise<T>): Promise<T> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${deadlineMs} ms`)), deadlineMs);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
};
