// Holds every import against the room table. `test/rooms-canary` proves that it can fail.
import { dirname } from 'node:path'
import { cruiseRooms } from './lib/cruise.ts'

const { seen, unseen, imports, violations } = await cruiseRooms(dirname(import.meta.dirname))
for (const { rule, from, to } of violations) console.log(`${rule}: ${from} → ${to}`)
for (const path of unseen) console.log(`not seen: ${path}`)
console.log(`${seen} modules, ${imports} imports, ${violations.length} against the table`)
// A check that saw nothing has checked nothing.
process.exitCode = seen === 0 || imports === 0 || unseen.length > 0 || violations.length > 0 ? 1 : 0
