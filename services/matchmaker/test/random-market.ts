import type {
  GpuRequest,
  GpuSharing,
  OfferNode,
  OfferPublished,
  PlacementGroup,
  ProviderEvent,
} from '@gridbourse/events';
import { type LeaseId, nextInt, type ProviderId, type Random } from '@gridbourse/kernel';
import type { Amounts } from '../src/domain/amounts.ts';
import { CapacityBook, type Claim, unitOf } from '../src/domain/capacity-book.ts';
import { Market } from '../src/domain/market.ts';
import type { MatchRequest } from '../src/domain/requirements.ts';
import { group, idOf, NOON, offerPublished, readyProvider, requestFor, service } from './builders.ts';

const CITIES = [
  { region: 'eu-west', latitude: 51.51, longitude: -0.13 },
  { region: 'eu-central', latitude: 50.11, longitude: 8.68 },
  { region: 'us-east', latitude: 40.71, longitude: -74.01 },
  { region: 'us-west', latitude: 37.77, longitude: -122.42 },
  { region: 'ap-northeast', latitude: 35.68, longitude: 139.69 },
  { region: 'oc', latitude: -36.85, longitude: 174.76 },
  { region: 'eu-north', latitude: 64.15, longitude: -21.94 },
  { region: 'sa', latitude: -54.8, longitude: -68.3 },
];
const MODELS = ['rtx4090', 'rtx4090', 'a100', 'h100', 't4', null];
const PROFILES = ['1g.10gb', '1g.10gb', '2g.20gb', '3g.40gb'];
const NETWORKS = ['ethernet', 'ethernet', 'roce', 'infiniband', 'nvlink'] as const;
const STORAGE_CLASSES = [{}, {}, {}, { storageClass: 'beta2' }, { storageClass: 'default' }];

type Asked = {
  readonly models: {
    model: string;
    vramMiB?: number | null;
    interface?: 'sxm';
    migProfile?: string;
  }[];
  readonly sharing?: GpuRequest['sharing'];
};

type RandomOffer = {
  readonly provider: string;
  readonly word: string;
  revision: number;
  /** Machines that it lost to another offer are not its own any more: it gets new ones. */
  generation: number;
};

/**
 * A market that changes by chance: providers come, go, rise and fall; offers are published, changed and withdrawn; leases
 * take machines and give them back. Prices, sizes and places repeat, so that ties are common. With `parts`, GPUs are sold and
 * asked for in slices and slots as well, networks differ, and machines move to other offers of their provider; without, the same seed gives the market that it always gave.
 */
export class RandomMarket {
  readonly market = new Market();
  readonly book = new CapacityBook();
  private readonly sequences = new Map<ProviderId, number>();
  private readonly providers: string[] = [];
  private readonly offers: RandomOffer[] = [];
  private readonly leases: LeaseId[] = [];
  private serial = 0;

  constructor(
    private readonly random: Random,
    private readonly many: { readonly sites?: number; readonly parts?: boolean } = {},
  ) {}

  private int(bound: number): number {
    return nextInt(this.random, bound);
  }

  private pick<T>(all: readonly T[]): T {
    return all[this.int(all.length)]!;
  }

  hear(...events: ProviderEvent[]): void {
    for (const event of events) {
      const sequence = (this.sequences.get(event.providerId) ?? 0) + 1;
      this.sequences.set(event.providerId, sequence);
      this.market.apply(event, sequence);
    }
  }

  addProvider(): void {
    const word = `p${this.providers.length}`;
    const city = this.pick(CITIES.slice(0, this.many.sites ?? CITIES.length));
    const jitter = (): number => this.pick([0, 0, 0, this.int(100) / 50]);
    const events = readyProvider(word, {
      tier: 1 + this.int(7),
      region: city.region,
      location: { latitude: city.latitude + jitter(), longitude: city.longitude + jitter() },
      attributes: this.pick([{}, { host: 'bare' }, { host: 'bare', net: '100g' }, { net: '10g' }]),
    });
    this.providers.push(word);
    this.hear(...(this.int(12) === 0 ? events.slice(0, 1 + this.int(3)) : events));
  }

  private gpusSold(): { model: string | null; sharing?: GpuSharing } {
    if (!this.many.parts) return { model: this.pick(MODELS) };
    const model = this.pick(['a100', 'a100', 'h100', 'rtx4090', null]);
    const kind = this.int(6);
    if (kind < 3 && model !== 'rtx4090') {
      return { model, sharing: { mode: 'mig', profile: this.pick(PROFILES) } };
    }
    if (kind < 5) return { model, sharing: { mode: 'shared', slotsPerGpu: this.pick([2, 3, 10]) } };
    return { model, sharing: { mode: 'whole' } };
  }

  private networkSold(): { interconnect?: OfferPublished['interconnect'] } {
    return this.many.parts ? { interconnect: this.pick(NETWORKS) } : {};
  }

  /** Another offer of the provider is given up; its machines go with their leases. */
  private machinesTakenOver(offer: RandomOffer): readonly OfferNode[] {
    if (!this.many.parts || this.int(3) > 0) return [];
    const siblings = this.offers.filter((other) => other !== offer && other.provider === offer.provider);
    if (siblings.length === 0) return [];
    const sibling = this.pick(siblings);
    const { nodes, withdrawn } = this.market.offer(idOf('offer', sibling.word))!;
    if (withdrawn) return [];
    this.withdraw(sibling);
    sibling.generation += 1;
    return nodes;
  }

  private publish(offer: RandomOffer, takenOver: readonly OfferNode[] = []): void {
    offer.revision += 1;
    const machines = this.many.parts ? `${offer.word}.${offer.generation}` : offer.word;
    const published = offerPublished(offer.provider, offer.word, {
      revision: offer.revision,
      machines,
      ...this.gpusSold(),
      vramGiB: this.pick([24, 40, 80]),
      interface: this.pick(['pcie', 'sxm']),
      nodes: Array.from({ length: 1 + this.int(4) }, () => ({
        gpus: this.pick([0, 1, 2, 4, 8]),
        cpu: this.pick([4, 8, 32]),
        memoryGiB: this.pick([16, 64]),
        storageGiB: this.pick([50, 500]),
      })),
      perGpu: this.pick(['0.20', '0.20', '0.40', '0.41', '1.50']),
      maxSeconds: this.pick([1_800, 86_400, 86_400]),
      minSeconds: this.pick([0, 0, 600]),
      storageClasses: this.pick([[], ['default'], ['beta2'], ['beta2', 'beta3']]),
      ...this.networkSold(),
    });
    this.hear({ ...published, nodes: [...published.nodes, ...takenOver] });
  }

  private publishAnew(offer: RandomOffer): void {
    this.publish(offer, this.machinesTakenOver(offer));
  }

  addOffer(): void {
    if (this.providers.length === 0) return this.addProvider();
    const provider = this.pick(this.providers);
    const offer = { provider, word: `o${this.offers.length}`, revision: 0, generation: 0 };
    this.offers.push(offer);
    this.publish(offer);
  }

  private changeProvider(): void {
    if (this.providers.length === 0) return;
    const providerId = idOf('provider', this.pick(this.providers));
    const known = this.market.provider(providerId)!;
    const at = { lastSeenAtMs: NOON, atMs: NOON };
    this.hear(
      this.pick<ProviderEvent>([
        { type: 'ProviderUnreachable', providerId, ...at },
        { type: 'ProviderOffline', providerId, ...at },
        { type: 'ProviderOnline', providerId, atMs: NOON },
        { type: 'ProviderOnline', providerId, atMs: NOON },
        { type: 'ProviderSuspended', providerId, reason: 'test', atMs: NOON },
        { type: 'ProviderReinstated', providerId, atMs: NOON },
        { type: 'TierChanged', providerId, from: known.tier, to: 1 + this.int(7), atMs: NOON },
        {
          type: 'EraClosed',
          providerId,
          era: 1,
          challengesSent: 20,
          challengesAnswered: 10 + this.int(11),
          responseP95Ms: 100,
          closedAtMs: NOON,
        },
      ]),
    );
  }

  private take(): void {
    const { word } = this.pick(this.offers);
    const offer = this.market.offer(idOf('offer', word))!;
    const onNodes = new Map<string, Amounts>();
    this.book.free(offer).forEach((node) => {
      if (this.int(2) === 0) return;
      const part = (amount: number): number => this.int(amount + 1);
      onNodes.set(node.name, {
        gpus: part(node.gpus),
        cpuMillis: part(node.cpuMillis),
        memoryMiB: part(node.memoryMiB),
        storageMiB: part(node.storageMiB),
      });
    });
    const leaseId = idOf('lease', `${(this.serial += 1)}`);
    this.leases.push(leaseId);
    const { offerId, providerId, gpu } = offer;
    const claim = this.pick<Claim>(['held', 'committed']);
    this.book.put({ leaseId, providerId, offerId, unit: unitOf(gpu), claim, onNodes });
  }

  private giveBack(): void {
    const [lease] = this.leases.splice(this.int(this.leases.length), 1);
    if (lease) this.book.remove(lease);
  }

  private withdraw({ provider, word }: RandomOffer): void {
    this.hear({
      type: 'OfferWithdrawn',
      providerId: idOf('provider', provider),
      offerId: idOf('offer', word),
      reason: 'test',
      atMs: NOON,
    });
  }

  /** A decision that fails after it has heard of an offer: the market is put back as it was. */
  private failHalfWay(): void {
    const { provider, word, revision } = this.pick(this.offers);
    const [before, offer] = [
      this.market.provider(idOf('provider', provider))!,
      this.market.offer(idOf('offer', word))!,
    ];
    const sequence = this.sequences.get(before.providerId)! + 1;
    this.market.apply(
      offerPublished(provider, word, { revision: revision + 1, machines: word, perGpu: '0.01' }),
      sequence,
    );
    this.market.forget(before.providerId, offer.offerId);
    this.market.restore([before], [offer]);
  }

  step(): void {
    const kind = this.int(20);
    if (kind < 2) this.addProvider();
    else if (kind < 7 || this.offers.length === 0) this.addOffer();
    else if (kind < 10) this.changeProvider();
    else if (kind < 12) this.publishAnew(this.pick(this.offers));
    else if (kind < 16) this.take();
    else if (kind < 18) this.giveBack();
    else if (kind < 19) this.withdraw(this.pick(this.offers));
    else this.failHalfWay();
  }

  steps(count: number): this {
    for (let i = 0; i < count; i += 1) this.step();
    return this;
  }

  private gpusAsked(): Asked {
    if (!this.many.parts) {
      return {
        models: this.pick([
          [],
          [],
          [{ model: 'rtx4090' }],
          [{ model: 'a100', vramMiB: this.pick([null, 81_920]) }, { model: 'h100' }],
          [{ model: 'h100', interface: 'sxm' as const }],
        ]),
      };
    }
    const kind = this.int(6);
    if (kind < 2) {
      const models = this.pick([[], [], [{ model: 'a100' }, { model: 'rtx4090' }]]);
      return { models, sharing: { mode: 'shared', milli: this.pick([50, 100, 101, 333, 334, 500]) } };
    }
    if (kind === 2) return { models: [], sharing: { mode: 'whole' } };
    const models = this.pick([
      [],
      [{ model: 'a100' }],
      [{ model: 'a100', migProfile: this.pick(PROFILES) }, { model: 'h100' }],
      [{ model: 'a100', migProfile: this.pick(PROFILES) }],
      [
        { model: 'h100', migProfile: this.pick(PROFILES) },
        { model: 'h100', migProfile: this.pick(PROFILES) },
      ],
      [{ model: 'a100', vramMiB: 81_920, migProfile: this.pick(PROFILES) }],
    ]);
    return { models, sharing: { mode: 'mig' } };
  }

  /** Where parts are sold, little else keeps offers from orders: what is asked of the parts is what decides. */
  private modestly() {
    return {
      gpus: this.pick([0, 1, 1, 1, 2]),
      replicas: this.pick([1, 1, 2]),
      cpuMillis: 500,
      memoryMiB: 1_024,
      storageMiB: 1_024,
      maxRate: this.pick(['5', '20', '20']),
    };
  }

  private placesAsked(): Partial<PlacementGroup> {
    if (this.many.parts) {
      const interconnect = this.pick([null, null, null, 'roce', 'infiniband', 'nvlink'] as const);
      return { interconnect, tierFloor: this.pick([7, 7, 7, 7, 3]), maxProviders: this.pick([1, 1, 2]) };
    }
    return {
      tierFloor: this.pick([7, 7, 7, 3]),
      regions: this.pick([[], [], [], ['us-east'], ['us-east', 'eu-central'], ['nowhere']]),
      attributes: this.pick([{}, {}, {}, { host: 'bare' }, { host: 'bare', net: '100g' }]),
    };
  }

  request(groups = 1): MatchRequest {
    const word = `${(this.serial += 1)}`;
    const oneGroup = (name: string) =>
      group(
        name,
        Array.from({ length: this.pick([1, 1, 1, 2]) }, (_, at) =>
          service(`s${at}`, {
            gpus: this.pick([0, 1, 1, 2, 4, 8]),
            ...this.gpusAsked(),
            replicas: this.pick([1, 1, 1, 2, 3]),
            cpuMillis: this.pick([500, 1_000, 4_000]),
            memoryMiB: this.pick([1_024, 8_192]),
            storageMiB: this.pick([1_024, 60_000]),
            maxRate: this.pick(['0.25', '0.60', '5', '20', '20']),
            ...(this.many.parts ? this.modestly() : this.pick(STORAGE_CLASSES)),
          }),
        ),
        this.placesAsked(),
      );
    const city = this.pick(CITIES);
    return requestFor(
      Array.from({ length: groups }, (_, at) => oneGroup(`g${at}`)),
      {
        orderId: idOf('order', word),
        profile: this.pick(['cheapest', 'balanced', 'fastest', 'nearest']),
        durationSeconds: this.pick([300, 1_200, 3_600]),
        near: this.pick([null, { latitude: city.latitude, longitude: city.longitude }]),
        ...this.pick([{}, {}, { workload: 'vision' as const }]),
        ...this.pick([
          {},
          {},
          {},
          { weights: { cost: 0, geography: this.random.next(), performance: 0, reliability: 1, fit: 0.3 } },
        ]),
        ...this.pick([
          {},
          {},
          {},
          {},
          { includeProviders: [idOf('provider', 'p0'), idOf('provider', 'p3')] },
        ]),
        ...this.pick([{}, {}, {}, { excludeProviders: [idOf('provider', 'p1')] }]),
      },
    );
  }
}
