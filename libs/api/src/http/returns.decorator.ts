import { applyDecorators, HttpCode, SerializeOptions } from '@nestjs/common';
import { ApiResponse } from '@nestjs/swagger';
import { type ZodType, z } from 'zod';

/** One schema documents the response and strips what it does not name. */
export const Returns = (status: number, schema: ZodType, options: { isArray?: boolean } = {}): MethodDecorator =>
  applyDecorators(
    HttpCode(status),
    ApiResponse({ status, standardSchema: options.isArray ? z.array(schema) : schema }),
    SerializeOptions({ schema }), // the interceptor maps an array over the schema of its item by itself
  );
