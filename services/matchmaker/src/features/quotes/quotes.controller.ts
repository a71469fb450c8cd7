import { money, moneyDto, moneyDtoOrNull, RequireScopes, Returns } from '@gridbourse/api';
import { interconnect } from '@gridbourse/events';
import { Body, Controller, Post } from '@nestjs/common';
import { ApiOperation } from '@nestjs/swagger';
import { z } from 'zod';
import { partOf } from '../../read-models/lease.entity.ts';
import { offeredGpuDto } from '../orders/offered-gpu.dto.ts';
import { explanationDto, leasePartDto, toLeasePartDto } from '../orders/order.dto.ts';
import { manifestRequest, type ManifestRequest } from '../orders/order-request.ts';
import { QuoteService } from './quote.service.ts';

const share = z.number().min(0).max(1);

const quoteDto = z
  .object({
    matched: z.boolean(),
    /** For everything together, per hour. */
    rate: money.nullable(),
    /** What would be locked for the whole duration. */
    total: money.nullable(),
    listRate: money.nullable(),
    saving: z.number().nullable(),
    leases: z.array(
      z.object({
        group: z.string(),
        /** Where the group would be divided: one lease each. Empty where it goes to the first candidate whole. */
        parts: z.array(
          leasePartDto.extend({
            offerId: z.string(),
            providerId: z.string(),
            rate: money,
            score: share,
          }),
        ),
        /** Best first. */
        candidates: z.array(
          z.object({
            offerId: z.string(),
            providerId: z.string(),
            region: z.string(),
            /** Null for plain CPU machines. */
            gpu: offeredGpuDto.nullable(),
            /** The network between its machines. */
            interconnect,
            rate: money,
            score: share,
            terms: z.object({
              cost: share,
              geography: share,
              performance: share,
              reliability: share,
              fit: share,
            }),
          }),
        ),
      }),
    ),
    explanation: explanationDto.nullable(),
    /** Median of recent starts; null before the first. */
    estimatedStartMs: z.int().nullable(),
    warnings: z.array(z.string()),
  })
  .meta({ id: 'Quote' });

@Controller('v1/quotes')
export class QuotesController {
  constructor(private readonly quotes: QuoteService) {}

  @Post()
  @RequireScopes('orders:read')
  @ApiOperation({ summary: 'Prices a manifest against live offers; holds nothing' })
  @Returns(200, quoteDto)
  async quote(
    @Body({ schema: manifestRequest }) request: ManifestRequest,
  ): Promise<z.output<typeof quoteDto>> {
    const quote = await this.quotes.quote(request);
    return {
      matched: quote.match !== null,
      rate: moneyDtoOrNull(quote.match?.rateMicrosPerHour ?? null),
      total: moneyDtoOrNull(quote.totalMicros),
      listRate: moneyDtoOrNull(quote.listRateMicros),
      saving: quote.saving,
      leases: quote.groups.map(({ group, candidates }) => ({
        group,
        parts: quote.parts
          .filter((part) => part.group === group)
          .map((part) => ({
            ...toLeasePartDto(partOf({ part: part.part, group: part.portion }))!,
            offerId: part.offerId,
            providerId: part.providerId,
            rate: moneyDto(part.rateMicrosPerHour),
            score: part.score,
          })),
        candidates: candidates.map(({ offer, provider, rateMicrosPerHour, score, terms }) => ({
          offerId: offer.offerId,
          providerId: provider.providerId,
          region: provider.place.region,
          gpu: offer.gpu,
          interconnect: offer.interconnect,
          rate: moneyDto(rateMicrosPerHour),
          score,
          terms: { ...terms },
        })),
      })),
      explanation: quote.explanation,
      estimatedStartMs: quote.estimatedStartMs,
      warnings: [...quote.warnings],
    };
  }
}
