import { type CustomDecorator, SetMetadata } from '@nestjs/common';

export const PUBLIC_ROUTE = 'gridbourse:public';

/** Anybody may call it; no credentials are looked at. */
export const Public = (): CustomDecorator => SetMetadata(PUBLIC_ROUTE, true);
