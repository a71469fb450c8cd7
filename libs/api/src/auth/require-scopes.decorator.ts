import { type CustomDecorator, SetMetadata } from '@nestjs/common';
import type { Scope } from './scopes.ts';

export const REQUIRED_SCOPES = 'gridbourse:scopes';

/** The caller must hold every one of these. */
export const RequireScopes = (...scopes: Scope[]): CustomDecorator => SetMetadata(REQUIRED_SCOPES, scopes);
