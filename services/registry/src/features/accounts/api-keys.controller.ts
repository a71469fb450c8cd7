import {
  AnswerNotKept,
  Caller,
  page,
  pageQuery,
  type PageQuery,
  RequireScopes,
  Returns,
} from '@gridbourse/api';
import type { ApiKeyId } from '@gridbourse/kernel';
import { Body, Controller, Delete, Get, Header, HttpCode, Param, Post, Query } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { idOf } from '../id-param.ts';
import { apiKeyBody, apiKeyDto, issuedApiKeyDto } from './account.dto.ts';
import { ApiKeys } from './api-keys.service.ts';

const apiKeyPage = page(apiKeyDto).meta({ id: 'ApiKeyPage' });

@ApiTags('api-keys')
@RequireScopes('accounts:write')
@Controller('v1/api-keys')
export class ApiKeysController {
  constructor(private readonly apiKeys: ApiKeys) {}

  @Post()
  @AnswerNotKept()
  @Returns(201, issuedApiKeyDto)
  @Header('cache-control', 'no-store')
  issue(
    @Caller() caller: Caller,
    @Body({ schema: apiKeyBody }) body: z.output<typeof apiKeyBody>,
  ): Promise<z.input<typeof issuedApiKeyDto>> {
    return this.apiKeys.issue(caller, body);
  }

  @Get()
  @Returns(200, apiKeyPage)
  list(
    @Caller() caller: Caller,
    @Query({ schema: pageQuery }) query: PageQuery,
  ): Promise<z.input<typeof apiKeyPage>> {
    return this.apiKeys.list(caller.accountId, query);
  }

  @Delete(':id')
  @HttpCode(204)
  revoke(@Caller() caller: Caller, @Param('id', { schema: idOf('apiKey') }) apiKeyId: string): Promise<void> {
    return this.apiKeys.revoke(caller.accountId, apiKeyId as ApiKeyId);
  }
}
