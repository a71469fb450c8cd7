import type { LeaseProposed, WorkloadSecrets } from '@gridbourse/events';

/** Any object of the Kubernetes API, as JSON. */
export type KubernetesObject = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
};

/** The part of a lease that its objects follow from. */
export type LeaseTerms = Pick<
  LeaseProposed,
  'leaseId' | 'orderId' | 'accountId' | 'providerId' | 'group' | 'part' | 'gpu' | 'run' | 'placements'
>;

/** What a machine says of itself by its labels and by what its kubelet counts. */
export type NodeFacts = {
  /** `kubernetes.io/hostname`, which may differ from the name. */
  readonly hostname: string;
  /** `nvidia.com/gpu.product` as GPU Feature Discovery writes it; null where it does not run. */
  readonly gpuProduct: string | null;
  /** `nvidia.com/gpu.replicas`: among how many each GPU is shared by time; null where no label says it. */
  readonly gpuReplicas: number | null;
  /** Names of the NVIDIA resources of which the machine has any. */
  readonly gpuResources: readonly string[];
};

export type ObjectOptions = {
  /** Value of `app.kubernetes.io/managed-by`: one for each installation of the platform that shares a cluster. */
  readonly managedBy: string;
  /** HTTP services are reachable at names below it. */
  readonly ingressDomain: string;
  readonly ingressClassName: string | null;
  /** Where the ingress controller runs. */
  readonly ingressNamespace: string;
  readonly runtimeClassName: string | null;
  readonly priorityClassName: string | null;
  /** `baseline` lets an image start as root, with the few capabilities that common images need. */
  readonly hardening: 'baseline' | 'restricted';
  readonly userNamespaces: boolean;
  readonly terminationGraceSeconds: number;
  /** What the cluster calls a storage class of a manifest; a class that is not listed keeps its name. */
  readonly storageClasses: Readonly<Record<string, string>>;
  /** Machines by name, as the cluster shows them; a machine that is missing here is pinned by its name alone. */
  readonly nodes: Readonly<Record<string, NodeFacts>>;
};

export type ServiceSecrets = WorkloadSecrets['services'][string];
