import { type GpuRequest, INTERCONNECTS } from '@gridbourse/events';
import { profileStep } from './catalogue.ts';
import { type Change, single, type Try } from './change.ts';
import { askedInWords, slotMilli } from './gpu-sharing.ts';
import { withGroup, withServices } from './group-edits.ts';
import { interconnectRank } from './interconnect.ts';
import type { MarketView } from './matching.ts';
import type { MatchRequest } from './requirements.ts';
import { gpusOnSale } from './survey/on-sale.ts';

/** Takes nothing away but is not what was asked for. */
const WHOLE_SIZE = 0.2;
const [LARGER_SLICE_SIZE, SMALLER_SLICE_SIZE] = [0.1, 0.4];
/** For each doubling or halving of a slice's compute and of its memory. */
const SLICE_STEP = 0.1;
/** For each network that is slower by one. */
const NETWORK_STEP = 0.2;

const gpusOf = (request: MatchRequest, at: number): GpuRequest[] =>
  request.spec.groups[at]!.services.flatMap(({ resources }) => resources.gpu ?? []);

const withGpus = (request: MatchRequest, at: number, change: (gpu: GpuRequest) => GpuRequest): MatchRequest =>
  withServices(request, at, ({ resources, ...service }) => ({
    ...service,
    resources: { ...resources, gpu: resources.gpu && change(resources.gpu) },
  }));

const inWords = (gpus: readonly GpuRequest[]): string =>
  [...new Set(gpus.map(askedInWords))].join(' and ').slice(0, 200);

/** Whole GPUs for all that asked for parts of them. */
function* whole(request: MatchRequest, at: number, attempt: Try): Generator<Change> {
  const parts = gpusOf(request, at).filter(({ sharing }) => sharing.mode !== 'whole');
  if (parts.length === 0) return;
  const changed = withGpus(request, at, (gpu) => ({
    ...gpu,
    sharing: { mode: 'whole' },
    models: gpu.models.map((entry) => ({ ...entry, migProfile: null })),
  }));
  if (!attempt(changed, WHOLE_SIZE)) return;
  yield single(changed, {
    field: `groups.${request.spec.groups[at]!.name}.gpu.sharing`,
    from: inWords(parts),
    to: 'whole GPUs',
    text: 'Take whole GPUs.',
    size: WHOLE_SIZE,
  });
}

/** Size of taking a profile where any of some others was asked for: the nearest of them counts. */
const profileSize = (model: string, asked: readonly string[], profile: string): number =>
  Math.min(
    ...asked.map((from) => {
      const step = profileStep(model, from, profile);
      return (step.less ? SMALLER_SLICE_SIZE : LARGER_SLICE_SIZE) + step.doublings * SLICE_STEP;
    }),
  );

/** Another MIG profile that is offered of a model that was asked for with given profiles. */
function* profiles(request: MatchRequest, at: number, view: MarketView, attempt: Try): Generator<Change> {
  const askedOf = new Map<string, Set<string>>();
  for (const { sharing, models } of gpusOf(request, at)) {
    if (sharing.mode !== 'mig') continue;
    for (const { model, migProfile } of models) {
      if (migProfile !== null) askedOf.set(model, (askedOf.get(model) ?? new Set()).add(migProfile));
    }
  }
  if (askedOf.size === 0) return;
  const offered = new Map<string, { model: string; profile: string }>();
  for (const { model, sharing } of gpusOnSale(view)) {
    if (sharing.mode !== 'mig' || !askedOf.has(model)) continue;
    offered.set(`${model} ${sharing.profile}`, { model, profile: sharing.profile });
  }
  for (const { model, profile } of offered.values()) {
    const asked = [...askedOf.get(model)!];
    if (asked.includes(profile)) continue;
    const changed = withGpus(request, at, (gpu) =>
      gpu.sharing.mode === 'mig' ? { ...gpu, models: withProfile(gpu.models, model, profile) } : gpu,
    );
    const size = profileSize(model, asked, profile);
    if (!attempt(changed, size)) continue;
    yield single(changed, {
      field: `groups.${request.spec.groups[at]!.name}.gpu.models.${model}.migProfile`.slice(0, 120),
      from: asked.join(', ').slice(0, 200),
      to: `${asked.join(', ').slice(0, 150)} or ${profile}`,
      text: `Take slices of ${profile} of ${model} as well.`,
      size,
    });
  }
}

const withProfile = (models: GpuRequest['models'], model: string, profile: string): GpuRequest['models'] => [
  ...models,
  ...models.flatMap((entry) =>
    entry.model === model && entry.migProfile !== null ? [{ ...entry, migProfile: profile }] : [],
  ),
];

/** A smaller part of a time-sliced GPU: the largest that is offered and matches. */
function* slots(request: MatchRequest, at: number, view: MarketView, attempt: Try): Generator<Change> {
  const asked = gpusOf(request, at).flatMap(({ sharing }) =>
    sharing.mode === 'shared' ? sharing.milli : [],
  );
  if (asked.length === 0) return;
  const most = Math.max(...asked);
  const offered = new Set<number>();
  for (const { sharing } of gpusOnSale(view)) {
    if (sharing.mode === 'shared') offered.add(slotMilli(sharing.slotsPerGpu));
  }
  for (const milli of [...offered].filter((one) => one < most).sort((a, b) => b - a)) {
    const changed = withGpus(request, at, (gpu) =>
      gpu.sharing.mode === 'shared'
        ? { ...gpu, sharing: { mode: 'shared', milli: Math.min(gpu.sharing.milli, milli) } }
        : gpu,
    );
    const size = 2 * (1 - milli / most);
    if (!attempt(changed, size)) continue;
    yield single(changed, {
      field: `groups.${request.spec.groups[at]!.name}.gpu.sharing.milli`,
      from: `${most}`,
      to: `${milli}`,
      text: `Ask for a share of at most ${milli} thousandths of a GPU instead of ${most}.`,
      size,
    });
    return;
  }
}

/** Changes of how the group's GPUs are shared with which the order would match. */
export function* sharings(
  request: MatchRequest,
  at: number,
  view: MarketView,
  attempt: Try,
): Generator<Change> {
  yield* whole(request, at, attempt);
  yield* profiles(request, at, view, attempt);
  yield* slots(request, at, view, attempt);
}

/** The fastest network below the one asked for with which the order would match. */
export function* networks(request: MatchRequest, at: number, attempt: Try): Generator<Change> {
  const group = request.spec.groups[at]!;
  const now = interconnectRank(group.interconnect);
  for (let rank = now - 1; rank >= 0; rank -= 1) {
    const interconnect = INTERCONNECTS[rank]!;
    const changed = withGroup(request, at, (one) => ({ ...one, interconnect }));
    const size = NETWORK_STEP * (now - rank);
    if (!attempt(changed, size)) continue;
    yield single(changed, {
      field: `groups.${group.name}.interconnect`,
      from: `${group.interconnect}`,
      to: interconnect,
      text: `Ask for a network of at most ${interconnect} instead of ${group.interconnect}.`,
      size,
    });
    return;
  }
}
