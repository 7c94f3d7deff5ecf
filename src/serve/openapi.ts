import type { OpenAPIHono } from '@hono/zod-openapi'
import type { Env } from 'hono'
import type { z } from 'zod'

/** The OpenAPI 3.1 document of an app's routes, with `named` schemas as components that the others refer to. */
export function openapiDocument<E extends Env>(app: OpenAPIHono<E>, named: Readonly<Record<string, z.ZodType>>, program: string): string {
  for (const [name, schema] of Object.entries(named)) app.openAPIRegistry.register(name, schema)
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
  return JSON.stringify(byReference(document as unknown as JsonObject))
}

type Json = string | number | boolean | null | undefined | Json[] | JsonObject
type JsonObject = { [key: string]: Json }

/**
 * The generator writes a schema out wherever it is used. Here every copy of a component becomes a reference to it, largest first, so that
 * a client made from the document has one type per word.
 */
function byReference(document: JsonObject): JsonObject {
  const components = document['components'] as { schemas: Record<string, JsonObject> }
  const names = new Map<string, string>()
  for (const [name, schema] of Object.entries(components.schemas)) names.set(JSON.stringify(schema), name)
  const replace = (value: Json): Json => {
    if (Array.isArray(value)) return value.map(replace)
    if (typeof value !== 'object' || value === null) return value
    const name = names.get(JSON.stringify(value))
    return name === undefined ? inside(value) : { $ref: `#/components/schemas/${name}` }
  }
  const inside = (value: JsonObject): JsonObject => Object.fromEntries(Object.entries(value).map(([key, item]) => [key, replace(item)]))
  const schemas = Object.fromEntries(Object.entries(components.schemas).map(([name, schema]) => [name, inside(schema)]))
  return { ...inside(document), components: { ...inside(components), schemas } }
}
