import { AccountDirectory, Caller, Returns } from '@gridbourse/api';
import { notFound, rfc3339 } from '@gridbourse/kernel';
import { Controller, Get } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { accountDto } from './account.dto.ts';

@ApiTags('accounts')
@Controller('v1/accounts')
export class AccountsController {
  constructor(private readonly directory: AccountDirectory) {}

  @Get('me')
  @Returns(200, accountDto)
  async me(@Caller() caller: Caller): Promise<z.input<typeof accountDto>> {
    const account = await this.directory.byId(caller.accountId);
    if (!account) throw notFound('account', caller.accountId);
    return {
      accountId: account.accountId,
      wallet: account.wallet,
      name: account.name,
      scopes: [...caller.scopes],
      openedAt: rfc3339(account.openedAtMs),
    };
  }
}
