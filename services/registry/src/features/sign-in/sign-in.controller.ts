import { CountsAs, Public, Returns } from '@gridbourse/api';
import { Body, Controller, Header, HttpCode, Post } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { z } from 'zod';
import { loginBody, nonceDto, refreshBody, tokensDto } from './sign-in.dto.ts';
import { SignIn } from './sign-in.service.ts';

@ApiTags('auth')
@Public()
@CountsAs('signIn')
@Controller('v1/auth')
export class SignInController {
  constructor(private readonly signIn: SignIn) {}

  @Post('nonce')
  @Returns(200, nonceDto)
  @Header('cache-control', 'no-store')
  nonce(): Promise<z.input<typeof nonceDto>> {
    return this.signIn.nonce();
  }

  @Post('login')
  @Returns(200, tokensDto)
  @Header('cache-control', 'no-store')
  login(@Body({ schema: loginBody }) body: z.output<typeof loginBody>): Promise<z.input<typeof tokensDto>> {
    return this.signIn.login(body.message, body.signature);
  }

  @Post('refresh')
  @Returns(200, tokensDto)
  @Header('cache-control', 'no-store')
  refresh(
    @Body({ schema: refreshBody }) body: z.output<typeof refreshBody>,
  ): Promise<z.input<typeof tokensDto>> {
    return this.signIn.refresh(body.refreshToken);
  }

  /** Ends the session; the access token runs out by itself. */
  @Post('logout')
  @HttpCode(204)
  logout(@Body({ schema: refreshBody }) body: z.output<typeof refreshBody>): Promise<void> {
    return this.signIn.logout(body.refreshToken);
  }
}
