import { z } from 'zod';

export const nonceDto = z
  .object({
    nonce: z.string(),
    domain: z.string(),
    uri: z.string(),
    chainId: z.int(),
    expiresAt: z.iso.datetime(),
  })
  .meta({
    id: 'SignInNonce',
    description: 'What a Sign-In with Ethereum message (EIP-4361) to us must contain.',
  });

export const loginBody = z
  .object({
    message: z
      .string()
      .min(1)
      .max(5_000)
      .meta({ description: 'The EIP-4361 message, exactly as it was signed' }),
    signature: z
      .string()
      .regex(/^0x([0-9a-fA-F]{2}){1,2048}$/)
      .meta({ description: 'EIP-191 signature, or what the contract of an ERC-1271 wallet accepts' }),
  })
  .meta({ id: 'LoginRequest' });

export const refreshBody = z
  .object({ refreshToken: z.string().min(1).max(200) })
  .meta({ id: 'RefreshRequest' });

export const tokensDto = z
  .object({
    accessToken: z.string(),
    accessExpiresAt: z.iso.datetime(),
    refreshToken: z.string().meta({ description: 'Good for one use; its answer holds the next one' }),
    accountId: z.string(),
  })
  .meta({ id: 'Tokens' });

export const keySetDto = z
  .object({ keys: z.array(z.record(z.string(), z.unknown())) })
  .meta({ id: 'JsonWebKeySet', description: 'RFC 7517' });
