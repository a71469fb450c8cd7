import { CLOCK, decodeCursor, deterministicId, type PageQuery, toPage } from '@gridbourse/api';
import {
  findGpu,
  findMigProfile,
  type GpuModel,
  migProfilesOf,
  nominalVramMiB,
  sharingText,
} from '@gridbourse/catalog';
import { INTERCONNECTS, type OfferGpu, type OfferPublished } from '@gridbourse/events';
import {
  type Clock,
  type Fault,
  invalid,
  notFound,
  type OfferId,
  parseUsdc,
  type ProviderId,
} from '@gridbourse/kernel';
import { Inject, Injectable } from '@nestjs/common';
import { DataSource, In, MoreThan, Raw } from 'typeorm';
import type { z } from 'zod';
import { Aggregates } from '../../aggregates/aggregates.ts';
import { providers } from '../../aggregates/registry-aggregates.ts';
import type { OfferContent } from '../../domain/offer-content.ts';
import { OfferEntity } from '../../read-models/offer.entity.ts';
import { AgentHub } from '../agents/agent-hub.ts';
import { type offerBody, type offerDto, toOfferDto } from './offer.dto.ts';

type Body = z.output<typeof offerBody>;
export type OfferFilter = PageQuery & {
  model?: string | undefined;
  region?: string | undefined;
  sharing?: OfferGpu['sharing']['mode'] | undefined;
  interconnect?: OfferPublished['interconnect'] | undefined;
};

/** What cannot be sold of such GPUs, because they cannot be divided so. */
const checkSharing = (
  model: GpuModel,
  { vramMiB, sharing }: NonNullable<Body['gpu']>,
  faults: Fault[],
): void => {
  if (sharing.mode === 'whole') return;
  if (model.vendor !== 'nvidia') {
    faults.push({ pointer: '/gpu/sharing/mode', message: `a GPU of ${model.vendor} is only sold whole` });
    return;
  }
  if (sharing.mode === 'shared') return;
  const gpu = { model: model.id, vramMiB: nominalVramMiB(model, vramMiB) ?? vramMiB };
  if (findMigProfile(gpu, sharing.profile)) return;
  const possible = migProfilesOf(gpu).map(({ name }) => name);
  faults.push({
    pointer: '/gpu/sharing/profile',
    message:
      possible.length === 0
        ? `${model.name} with ${vramMiB} MiB has no MIG profiles`
        : `${model.name} with ${vramMiB} MiB has no profile ${sharing.profile}; it has ${possible.join(', ')}`,
  });
};

const gpuOf = (gpu: Body['gpu'], faults: Fault[]): OfferGpu | null => {
  if (gpu === null) return null;
  const model = findGpu(gpu.model);
  if (!model) {
    faults.push({ pointer: '/gpu/model', message: `the catalogue knows no GPU "${gpu.model}"` });
    return null;
  }
  checkSharing(model, gpu, faults);
  return {
    model: model.id,
    vendor: model.vendor,
    vramMiB: gpu.vramMiB,
    interface: gpu.interface,
    sharing: gpu.sharing,
  };
};

/** What the schema alone cannot say of a body. */
const checkNodes = ({ gpu, nodes, policy }: Body, faults: Fault[]): void => {
  const names = new Set<string>();
  nodes.forEach((node, index) => {
    if (names.has(node.name)) faults.push({ pointer: `/nodes/${index}/name`, message: 'named twice' });
    names.add(node.name);
    if (gpu === null && node.gpus > 0)
      faults.push({ pointer: `/nodes/${index}/gpus`, message: 'an offer without gpu has no GPUs' });
  });
  if (gpu !== null && nodes.every((node) => node.gpus === 0)) {
    faults.push({ pointer: '/nodes', message: 'an offer of GPUs needs a machine that has some' });
  }
  if (policy.minDurationSeconds > policy.maxDurationSeconds) {
    faults.push({ pointer: '/policy/minDurationSeconds', message: 'more than maxDurationSeconds' });
  }
};

const contentOf = (body: Body): OfferContent => {
  const faults: Fault[] = [];
  const gpu = gpuOf(body.gpu, faults);
  checkNodes(body, faults);
  if (faults.length > 0) throw invalid('invalid_offer', `the offer has ${faults.length} problem(s)`, faults);
  return {
    label: body.label,
    gpu,
    nodes: body.nodes,
    price: {
      perGpu: parseUsdc(body.price.perGpuUsdcPerHour),
      perCpuCore: parseUsdc(body.price.perCpuCoreUsdcPerHour),
      perMemoryGiB: parseUsdc(body.price.perMemoryGiBUsdcPerHour),
      perStorageGiB: parseUsdc(body.price.perStorageGiBUsdcPerHour),
    },
    policy: body.policy,
    storageClasses: body.storageClasses,
    interconnect: body.interconnect,
  };
};

/** Whole GPUs keep the ids that offers had before there was anything else. */
const soldAs = (gpu: OfferGpu | null): string[] => {
  if (gpu === null) return ['cpu'];
  return gpu.sharing.mode === 'whole' ? [gpu.model] : [gpu.model, sharingText(gpu.sharing)];
};

@Injectable()
export class Offers {
  constructor(
    private readonly dataSource: DataSource,
    private readonly aggregates: Aggregates,
    private readonly agents: AgentHub,
    @Inject(CLOCK) private readonly clock: Clock,
  ) {}

  /**
   * Publishes an offer, or replaces the one of this id, or of this provider, GPU model, way of sharing and label. The
   * same content again changes nothing.
   * @throws DomainError `invalid_offer`, `offer_not_found` (an offer id that is not this provider's), `too_many_offers`
   */
  async publish(providerId: ProviderId, body: Body): Promise<z.input<typeof offerDto>> {
    const content = contentOf(body);
    const offerId = body.offerId
      ? await this.ownOffer(providerId, body.offerId)
      : deterministicId('offer', providerId, ...soldAs(content.gpu), content.label);
    await this.aggregates.execute(providers, providerId, [
      {
        type: 'DeclareOffer',
        offerId,
        content,
        capacities: this.agents.capacitiesOf(providerId),
        atMs: this.clock.now(),
      },
    ]);
    return toOfferDto(await this.load(offerId));
  }

  /** @throws DomainError `offer_not_found` */
  async withdraw(providerId: ProviderId, offerId: OfferId): Promise<void> {
    await this.aggregates.execute(providers, providerId, [
      { type: 'WithdrawOffer', offerId, reason: 'withdrawn by the provider', atMs: this.clock.now() },
    ]);
  }

  /** Offers that are not withdrawn, by id. */
  async list({ limit, cursor, model, region, sharing, interconnect }: OfferFilter): Promise<{
    items: z.input<typeof offerDto>[];
    nextCursor: string | null;
  }> {
    const [after] = decodeCursor(cursor, ['text']) ?? [''];
    const known = model === undefined ? undefined : findGpu(model);
    if (known === null) {
      throw invalid('unknown_gpu', `the catalogue knows no GPU "${model}"`, [
        { pointer: '/model', message: 'unknown' },
      ]);
    }
    const rows = await this.dataSource.getRepository(OfferEntity).find({
      where: {
        withdrawn: false,
        offerId: MoreThan(after!),
        ...(known === undefined ? {} : { gpuModel: known.id }),
        ...(region === undefined ? {} : { provider: { region } }),
        ...(sharing === undefined
          ? {}
          : { gpu: Raw((gpu) => `${gpu} -> 'sharing' ->> 'mode' = :sharing`, { sharing }) }),
        ...(interconnect === undefined
          ? {}
          : { interconnect: In(INTERCONNECTS.slice(INTERCONNECTS.indexOf(interconnect))) }),
      },
      relations: { provider: true },
      order: { offerId: 'ASC' },
      take: limit + 1,
    });
    return toPage(rows, limit, (row) => [row.offerId], toOfferDto);
  }

  private async ownOffer(providerId: string, offerId: string): Promise<OfferId> {
    const known = await this.dataSource.getRepository(OfferEntity).existsBy({ offerId, providerId });
    if (!known) throw notFound('offer', offerId);
    return offerId as OfferId;
  }

  private async load(offerId: string): Promise<OfferEntity> {
    const offer = await this.dataSource
      .getRepository(OfferEntity)
      .findOne({ where: { offerId }, relations: { provider: true } });
    if (!offer) throw notFound('offer', offerId);
    return offer;
  }
}
