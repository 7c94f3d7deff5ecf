import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Env } from 'hono'
import type { z } from 'zod'

/** The OpenAPI 3.1 document of an app's routes, with `named` schemas as components that the others refer to. */
export function openapiDocument<E extends Env>(
  app: OpenAPIHono<E>,
  named: Readonly<Record<string, z.ZodType>>,
  program: string,
): OpenapiDocument {
  // Cloned: a schema made before the generator extended zod lacks the method that it asks for.
  for (const [name, schema] of Object.entries(named)) app.openAPIRegistry.register(name, schema.clone())
  app.openAPIRegistry.registerComponent('securitySchemes', 'token', {
    type: 'http',
    scheme: 'bearer',
    description: 'what `midwatch token` prints',
  })
  const document = app.getOpenAPI31Document({
    openapi: '3.1.0',
    info: { title: 'Midwatch', version: program, description: 'What can reach what, as one node sees it.' },
    security: [{ token: [] }],
  })
  return byReference(document as unknown as JsonObject) as OpenapiDocument
}

export type OpenapiDocument = { readonly openapi: string }
type Json = string | number | boolean | null | undefined | Json[] | JsonObject
type JsonObject = { [key: string]: Json }

/**
 * The generator writes a schema out wherever it is used. Here every copy of a component becomes a reference to it, so that a client
 * made from the document has one type per word.
 */
function byReference(document: JsonObject): JsonObject {
  const components = document['components'] as { schemas: Record<string, JsonObject> }
  const names = new Map<string, string>()
  for (const [name, schema] of Object.entries(components.schemas)) names.set(JSON.stringify(schema), name)

  const replace = (value: Json, key: string): Json => {
    if (Array.isArray(value)) return value.map((item) => replace(item, key))
    // The generator takes only the slashes off a regular expression that has the flag `u`, which JSON Schema implies.
    if (key === 'pattern' && typeof value === 'string') return value.replace(/\/u$/, '')
    if (typeof value !== 'object' || value === null) return value
    return reference(value) ?? inside(value)
  }
  /** A copy may be nullable, and have a description of its own. */
  const reference = ({ description, ...schema }: JsonObject): JsonObject | null => {
    const nullable = Array.isArray(schema['type']) && schema['type'][1] === 'null'
    const name = names.get(JSON.stringify(nullable ? { ...schema, type: (schema['type'] as Json[])[0] } : schema))
    if (name === undefined) return null
    const target = { $ref: `#/components/schemas/${name}` }
    const told = description === undefined ? {} : { description }
    return nullable ? { anyOf: [target, { type: 'null' }], ...told } : { ...target, ...told }
  }
  const inside = (value: JsonObject): JsonObject =>
    Object.fromEntries(Object.entries(value).map(([key, item]) => [key, replace(item, key)]))

  const schemas = Object.fromEntries(Object.entries(components.schemas).map(([name, schema]) => [name, inside(schema)]))
  return { ...inside(document), components: { ...inside(components), schemas } }
}
