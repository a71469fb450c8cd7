import { formatUsdc, type Micros } from '@gridbourse/kernel';
import { z } from 'zod';

/** Every amount in the API: decimal USDC for people, the integer micro amount for programs; both are strings. */
export const money = z
  .object({
    usdc: z.string().meta({ example: '1.25' }),
    micros: z.string().meta({ example: '1250000' }),
  })
  .meta({ id: 'Money' });

export type MoneyDto = z.output<typeof money>;

export const moneyDto = (micros: Micros): MoneyDto => ({
  usdc: formatUsdc(micros),
  micros: micros.toString(),
});
export const moneyDtoOrNull = (micros: Micros | null): MoneyDto | null =>
  micros === null ? null : moneyDto(micros);
