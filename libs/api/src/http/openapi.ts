import type { INestApplication } from '@nestjs/common';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';

type JsonSchema = Record<string, unknown>;
type Convertible = {
  '~standard'?: { jsonSchema?: Record<'input' | 'output', (options: { target: string }) => JsonSchema> };
};

/**
 * @nestjs/swagger 12 asks every schema for the OpenAPI 3.0 dialect whatever version the document has, and so writes
 * `exclusiveMinimum: true` into a 3.1 document. This asks for JSON Schema 2020-12.
 */
const toJsonSchema2020 = (schema: unknown, { schemaType }: { schemaType: 'input' | 'output' }) => {
  const convert = (schema as Convertible)['~standard']?.jsonSchema?.[schemaType];
  if (!convert) return undefined;
  const { $schema: _, $defs, ...rest } = convert({ target: 'draft-2020-12' });
  return { schema: rest, components: ($defs ?? {}) as Record<string, unknown> };
};

/** @throws Error when one schema id names two unlike schemas, which Swagger would merge in silence. */
export const openApiDocument = (app: INestApplication, title: string): OpenAPIObject => {
  const seen = new Map<string, string>();
  return SwaggerModule.createDocument(
    app,
    new DocumentBuilder()
      .setTitle(title)
      .setVersion('1')
      .setOpenAPIVersion('3.1.0')
      .addBearerAuth({ type: 'http', scheme: 'bearer', description: 'An access token or an API key' })
      .addSecurityRequirements('bearer')
      .build(),
    {
      standardSchemaConverter: (schema, options) => {
        const converted = toJsonSchema2020(schema, options);
        for (const [name, part] of Object.entries(converted?.components ?? {})) {
          const text = JSON.stringify(part);
          if ((seen.get(name) ?? text) !== text) {
            throw new Error(`schema ${name} differs as input and output: give each its own id`);
          }
          seen.set(name, text);
        }
        return converted;
      },
    },
  );
};
