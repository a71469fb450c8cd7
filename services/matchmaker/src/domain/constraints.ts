import type { GpuRequest, OfferGpu } from '@gridbourse/events';
import { formatUsdc, type Micros } from '@gridbourse/kernel';
import type { NodeFree } from './capacity-book.ts';
import { nominalVram } from './catalogue.ts';
import { fits } from './amounts.ts';
import { sharingSuits, soldInWords } from './gpu-sharing.ts';
import { interconnectRank } from './interconnect.ts';
import { type Packed, pack } from './packing.ts';
import { rateMicrosPerHour } from './pricing.ts';
import type { GroupNeed, PodTag } from './requirements.ts';
import type { Offer, Provider } from './market.ts';

/** Everything that can keep an offer from an order, in the order in which it is checked and told. */
export const CONSTRAINTS = [
  'provider_active',
  'provider_online',
  'provider_included',
  'provider_excluded',
  'provider_declined',
  'tier',
  'region',
  'attributes',
  'duration',
  'storage_class',
  'interconnect',
  'gpu_vendor',
  'gpu_model',
  'gpu_vram',
  'gpu_interface',
  'gpu_sharing',
  'gpu_count',
  'cpu',
  'memory',
  'storage',
  'machines',
  'price',
  'capacity',
] as const;
export type Constraint = (typeof CONSTRAINTS)[number];

export type Failure = { readonly constraint: Constraint; readonly detail: string };

/** One offer held against one group. */
export type Subject = {
  readonly need: GroupNeed;
  readonly offer: Offer;
  readonly provider: Provider;
  /** What is free on each machine after all holds. */
  readonly free: readonly NodeFree[];
};

/** A constraint that fails; the words for it are made only when somebody asks: markets are large. */
export type Broken = { readonly constraint: Constraint; readonly detail: () => string };

export type Check = (subject: Subject) => Broken | null;
/** Looks at the provider and what is asked, at nothing of the offer. */
export type OfProvider = (subject: Pick<Subject, 'need' | 'provider'>) => Broken | null;
/** Looks at the offer and what is asked, and not at who sells it or what is free. */
export type OfOffer = (subject: Pick<Subject, 'need' | 'offer'>) => Broken | null;
const failed = <S>(constraint: Constraint, detailOf: (subject: S) => string, subject: S): Broken => ({
  constraint,
  detail: () => detailOf(subject),
});
/** The words are a function of the subject, so that nothing is made for them where nothing fails. */
const when = <S>(
  broken: boolean,
  constraint: Constraint,
  detailOf: (subject: S) => string,
  subject: S,
): Broken | null => (broken ? failed(constraint, detailOf, subject) : null);

const inWords = ({ constraint, detail }: Broken): Failure => ({ constraint, detail: detail().slice(0, 300) });

const providerActive: OfProvider = ({ provider }) =>
  when(
    !provider.activated || provider.suspended || provider.chainProviderId === null,
    'provider_active',
    ({ suspended }) => (suspended ? 'suspended' : 'its stake is below the minimum'),
    provider,
  );

const providerOnline: OfProvider = ({ provider }) =>
  when(
    provider.presence !== 'online',
    'provider_online',
    ({ presence }) => (presence === 'unknown' ? 'not heard of yet' : presence),
    provider,
  );

const providerIncluded: OfProvider = ({ need, provider }) =>
  when(
    need.include.size > 0 && !need.include.has(provider.providerId),
    'provider_included',
    () => 'not on your list',
    provider,
  );

/** Mostly nobody is named: then the provider's id need not be read. */
const names = (providers: GroupNeed['exclude'], { providerId }: Provider): boolean =>
  providers.size > 0 && providers.has(providerId);

const providerExcluded: OfProvider = ({ need, provider }) =>
  when(names(need.exclude, provider), 'provider_excluded', () => 'you excluded it', provider);

const providerDeclined: OfProvider = ({ need, provider }) =>
  when(
    names(need.declinedBy, provider),
    'provider_declined',
    () => 'it declined this order, or did not answer',
    provider,
  );

const tier: OfProvider = ({ need, provider }) =>
  when(provider.tier > need.group.tierFloor, 'tier', (its) => `tier ${its.tier}`, provider);

const region: OfProvider = ({ need, provider }) =>
  when(
    need.group.regions.length > 0 && !need.group.regions.includes(provider.place.region),
    'region',
    ({ place }) => `in ${place.region}`,
    provider,
  );

const missingAttributes = ({ need, provider }: Pick<Subject, 'need' | 'provider'>): string[] =>
  Object.keys(need.group.attributes).filter((key) => provider.attributes[key] !== need.group.attributes[key]);

const attributes: OfProvider = (subject) =>
  when(
    missingAttributes(subject).length > 0,
    'attributes',
    (its) =>
      missingAttributes(its)
        .map((key) => `${key}: ${its.provider.attributes[key] ?? 'not given'}`)
        .join(', '),
    subject,
  );

const duration: OfOffer = ({ need, offer: { policy } }) =>
  when(
    need.durationSeconds < policy.minDurationSeconds || need.durationSeconds > policy.maxDurationSeconds,
    'duration',
    (its) => `takes ${its.minDurationSeconds} to ${its.maxDurationSeconds} s`,
    policy,
  );

/** `default` means whatever class the provider has. */
const hasClass = ({ storageClasses }: Offer, name: string): boolean =>
  name === 'default' ? storageClasses.length > 0 : storageClasses.includes(name);

const hasClasses = (names: readonly string[], offer: Offer): boolean => {
  for (const name of names) if (!hasClass(offer, name)) return false;
  return true;
};

const storageClass: OfOffer = ({ need, offer }) =>
  when(
    !hasClasses(need.storageClasses, offer),
    'storage_class',
    ({ storageClasses }) => (storageClasses.length === 0 ? 'has none' : `has ${storageClasses.join(', ')}`),
    offer,
  );

const interconnect: OfOffer = ({ need, offer }) =>
  when(
    interconnectRank(offer.interconnect) < interconnectRank(need.group.interconnect),
    'interconnect',
    (its) => `has ${its.interconnect}`,
    offer,
  );

type ModelRequest = GpuRequest['models'][number];
type OfGpu = (subject: Pick<Subject, 'need'> & { readonly offer: Pick<Offer, 'gpu'> }) => Broken | null;

const hasVram = ({ vramMiB }: ModelRequest, gpu: OfferGpu): boolean =>
  vramMiB === null || nominalVram(gpu.model, gpu.vramMiB) >= nominalVram(gpu.model, vramMiB);

const hasInterface = (entry: ModelRequest, gpu: OfferGpu): boolean =>
  entry.interface === null || entry.interface === gpu.interface;

const gpuVendor: OfGpu = ({ need, offer: { gpu } }) => {
  if (gpu === null) return null;
  for (const request of need.gpuRequests) {
    if (request.vendor !== gpu.vendor) return failed('gpu_vendor', ({ vendor }) => `has ${vendor}`, gpu);
  }
  return null;
};

/**
 * Model, then VRAM, then interface: the first that no entry of some request passes. The VRAM is that of the whole card, also
 * where slices of it are sold: it says which variant is meant, and a MIG profile has the slice's own memory in its name.
 */
const gpuModel: OfGpu = ({ need, offer: { gpu } }) => {
  if (need.gpuRequests.length === 0) return null;
  if (gpu === null) return failed('gpu_model', () => 'has no GPU', gpu);
  for (const { models } of need.gpuRequests) {
    if (models.length === 0) continue;
    const named = models.filter((entry) => entry.model === gpu.model);
    if (named.length === 0) return failed('gpu_model', ({ model }) => `has ${model}`, gpu);
    const large = named.filter((entry) => hasVram(entry, gpu));
    if (large.length === 0) return failed('gpu_vram', ({ vramMiB }) => `has ${vramMiB} MiB`, gpu);
    if (!large.some((entry) => hasInterface(entry, gpu))) {
      return failed('gpu_interface', (its) => `has ${its.interface}`, gpu);
    }
  }
  return null;
};

/** Whether a profile is one of those that entries ask for; entries that something else keeps out have no say in it. */
const profileSuits = ({ models }: GpuRequest, gpu: OfferGpu, profile: string): boolean => {
  const entries = models.filter(
    (entry) => entry.model === gpu.model && hasVram(entry, gpu) && hasInterface(entry, gpu),
  );
  return (
    entries.length === 0 || entries.some(({ migProfile }) => migProfile === null || migProfile === profile)
  );
};

/** Whole GPUs, slices of the right profile, or large enough time slices, as asked for. */
const gpuSharing: OfGpu = ({ need, offer: { gpu } }) => {
  if (gpu === null) return null;
  const { sharing } = gpu;
  for (const request of need.gpuRequests) {
    const suits =
      sharingSuits(request.sharing, sharing) &&
      (sharing.mode !== 'mig' || profileSuits(request, gpu, sharing.profile));
    if (!suits) return failed('gpu_sharing', (its) => `sells ${soldInWords(its)}`, sharing);
  }
  return null;
};

/** Whether GPUs of this kind, sold so, would do, whoever has them. */
export const gpuSuits = (need: GroupNeed, gpu: Offer['gpu']): boolean => {
  const subject = { need, offer: { gpu } };
  return gpuSharing(subject) === null && gpuVendor(subject) === null && gpuModel(subject) === null;
};

/** Could it ever hold the group, with nobody else on it? Names the first dimension in which it could not. */
const shape: OfOffer = ({ need, offer }) => {
  // A missing GPU is told by its own constraint.
  const wantsMissingGpu = offer.gpu === null;
  const of = (dimension: 'gpus' | 'cpuMillis' | 'memoryMiB' | 'storageMiB') => ({
    largestPod: Math.max(...need.pods.map((pod) => pod.needs[dimension])),
    largestNode: Math.max(...offer.nodes.map((node) => node[dimension])),
    all: need.total[dimension],
    declared: offer.nodes.reduce((total, node) => total + node[dimension], 0),
  });
  const dimensions = [
    ['gpu_count', of('gpus'), 'GPUs'],
    ['cpu', of('cpuMillis'), 'm of CPU'],
    ['memory', of('memoryMiB'), 'MiB of memory'],
    ['storage', of('storageMiB'), 'MiB of storage'],
  ] as const;
  for (const [constraint, size, unit] of dimensions) {
    if (constraint === 'gpu_count' && wantsMissingGpu) continue;
    if (size.largestPod > size.largestNode)
      return failed(constraint, ({ largestNode }) => `largest machine has ${largestNode} ${unit}`, size);
    if (size.all > size.declared)
      return failed(constraint, ({ declared }) => `has ${declared} ${unit} in all`, size);
  }
  if (wantsMissingGpu && need.gpuRequests.length > 0) return null;
  return when(
    pack(need.pods, offer.nodes) === null,
    'machines',
    ({ nodes }) => `${nodes.length} machines cut otherwise`,
    offer,
  );
};

const price: OfOffer = (subject) =>
  when(
    rateOf(subject) > subject.need.limitMicrosPerHour,
    'price',
    (its) => `asks ${formatUsdc(rateOf(its))} USDC/h`,
    subject,
  );

const rateOf = ({ need, offer }: Pick<Subject, 'need' | 'offer'>): Micros =>
  rateMicrosPerHour(offer.price, need.total);

const freeCapacity = (subject: Subject): Broken => failed('capacity', freeInWords, subject);

const freeInWords = ({ free, need }: Subject): string => {
  if (need.total.gpus > 0) return `${free.reduce((total, node) => total + node.gpus, 0)} GPUs free now`;
  const roomFor = need.pods.filter((pod) => free.some((node) => fits(pod.needs, node))).length;
  return `room for ${roomFor} of ${need.pods.length} replicas now`;
};

/** Say the same of providers that are alike but for their names. */
export const PROVIDER_CHECKS: readonly OfProvider[] = [
  providerActive,
  providerOnline,
  tier,
  region,
  attributes,
];
/** Say the same of all providers that the order does not name. */
export const PROVIDER_NAME_CHECKS: readonly OfProvider[] = [
  providerIncluded,
  providerExcluded,
  providerDeclined,
];
/** Look at what an offer says beside its GPUs, machines and prices. */
export const TERMS_CHECKS: readonly OfOffer[] = [duration, storageClass, interconnect];
export const GPU_CHECKS: readonly OfOffer[] = [gpuVendor, gpuModel, gpuSharing];
/** Looks at the machines as they were declared, and at whether there are GPUs. */
export const SHAPE_CHECKS: readonly OfOffer[] = [shape];
/** Look for words, of which there are any number. */
export const WORD_CHECKS = { region, attributes, storageClass } as const;

/** Cheap ones first: matching stops at the first that fails. */
const STATIC_CHECKS: readonly Check[] = [
  ...PROVIDER_CHECKS,
  ...PROVIDER_NAME_CHECKS,
  ...TERMS_CHECKS,
  ...GPU_CHECKS,
  price,
];
const CHECKS_BUT_PRICE = STATIC_CHECKS.filter((check) => check !== price);

export type Fit = {
  readonly rateMicrosPerHour: Micros;
  readonly packed: readonly Packed<PodTag>[];
};

/** Where the group would sit, and for how much; null as soon as one constraint fails. */
export const fitOf = (subject: Subject): Fit | null => {
  for (const check of CHECKS_BUT_PRICE) if (check(subject)) return null;
  return fitAtRate(subject, rateOf(subject));
};

/** What `fitOf` comes to where every constraint but price and capacity holds. @param rateMicrosPerHour of the subject */
export const fitAtRate = (
  { need, free }: Pick<Subject, 'need' | 'free'>,
  rateMicrosPerHour: Micros,
): Fit | null => {
  if (rateMicrosPerHour > need.limitMicrosPerHour) return null;
  const packed = pack(need.pods, free);
  return packed && { rateMicrosPerHour, packed };
};

/** Passes everything but what is free just now: worth waiting for. */
export const fitsWhenEmpty = (subject: Subject): boolean =>
  STATIC_CHECKS.every((check) => check(subject) === null) &&
  pack(subject.need.pods, subject.offer.nodes) !== null;

const PLACE_IN_ORDER: ReadonlyMap<Constraint, number> = new Map(
  CONSTRAINTS.map((constraint, place) => [constraint, place]),
);

/** What is free counts where the machines as declared would do; GPUs that are missing are told by their own constraint. */
export const wantsRoom = (need: GroupNeed, gpu: Offer['gpu']): boolean =>
  gpu !== null || need.gpuRequests.length === 0;

/** Every constraint that fails, in the order of CONSTRAINTS; empty when the offer fits. */
export const brokenOf = (subject: Subject): Broken[] => {
  const broken: Broken[] = [];
  for (const check of STATIC_CHECKS) {
    const one = check(subject);
    if (one) broken.push(one);
  }
  const ofShape = shape(subject);
  if (ofShape) broken.push(ofShape);
  else if (wantsRoom(subject.need, subject.offer.gpu) && !pack(subject.need.pods, subject.free)) {
    broken.push(freeCapacity(subject));
  }
  return broken.sort((a, b) => PLACE_IN_ORDER.get(a.constraint)! - PLACE_IN_ORDER.get(b.constraint)!);
};

/** As `brokenOf`, in words. */
export const failuresOf = (subject: Subject): Failure[] => brokenOf(subject).map(inWords);
