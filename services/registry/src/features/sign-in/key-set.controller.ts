import { Public, Returns } from '@gridbourse/api';
import { Controller, Get, Header } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { SigningKeys } from '../../adapters/signing-keys.ts';
import { keySetDto } from './sign-in.dto.ts';

@ApiTags('auth')
@Public()
@Controller('.well-known')
export class KeySetController {
  constructor(private readonly keys: SigningKeys) {}

  /** The public keys that access tokens are signed with. */
  @Get('jwks.json')
  @Returns(200, keySetDto)
  @Header('cache-control', 'public, max-age=300')
  async keySet(): Promise<z.input<typeof keySetDto>> {
    return { keys: await this.keys.publicKeys() };
  }
}
