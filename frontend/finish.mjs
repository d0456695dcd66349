// Finishes a build: licences of what is in it, webmail's worker that keeps the page for use without network, and a gzip and
// a brotli file beside every file that is worth it, so that the server compresses nothing. An application whose first page
// is heavier than it may be ends the build.
import { createHash } from 'node:crypto'
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

/** Octets of an application's first page with all it loads, packed by gzip. */
const MOST = { 'admin.html': 150 * 1024, 'account.html': 150 * 1024, 'webmail.html': 250 * 1024 }

const folder = process.argv[2]
const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8'))
const licences = Object.keys({ ...dependencies, '@preact/signals-core': '' }).sort().map(name => {
  const { version, license } = JSON.parse(readFileSync(`node_modules/${name}/package.json`, 'utf8'))
  return `${name} ${version} (${license})\n\n${readFileSync(`node_modules/${name}/LICENSE`, 'utf8').trim()}\n`
})
writeFileSync(`${folder}/static/licenses.txt`, licences.join(`\n${'-'.repeat(78)}\n\n`))

// What webmail loads, now or later: whatever is named in it, and in that.
const built = readdirSync(`${folder}/static`), needed = new Set()
const name = text => { for (const one of built) if (!needed.has(one) && one !== 'licenses.txt' && text.includes(one)) {
  needed.add(one)
  if (/\.(js|css)$/.test(one)) name(readFileSync(`${folder}/static/${one}`, 'utf8'))
} }
name(readFileSync(`${folder}/webmail.html`, 'utf8'))
const files = JSON.stringify([...needed].sort().map(one => `static/${one}`))
const worker = readFileSync('worker.js', 'utf8')
const version = createHash('sha256').update(files).update(worker).update(readFileSync(`${folder}/webmail.html`)).digest('hex').slice(0, 16)
writeFileSync(`${folder}/webmail.worker.js`, worker.replace('__FILES__', () => files).replace('__VERSION__', version))
copyFileSync('manifest.webmanifest', `${folder}/webmail.manifest.webmanifest`)

const sizes = new Map()
for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !/\.(html|js|css|svg|json|txt)$/.test(entry.name)) continue
  const path = `${entry.parentPath}/${entry.name}`
  const content = readFileSync(path)
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: content.length }
  const gzip = gzipSync(content, { level: 9 })
  sizes.set(entry.name, gzip.length)
  for (const [suffix, packed] of [['gz', gzip], ['br', brotliCompressSync(content, { params })]])
    if (packed.length < content.length) writeFileSync(`${path}.${suffix}`, packed)
}
for (const [name, own] of sizes) {
  if (!name.endsWith('.html')) continue
  const loaded = [...readFileSync(`${folder}/${name}`, 'utf8').matchAll(/static\/([\w.-]+)"/g)].map(match => sizes.get(match[1]) ?? 0)
  const whole = loaded.reduce((sum, size) => sum + size, own)
  console.log(`${name}: ${(whole / 1024).toFixed(1)} KB packed`)
  if (whole > MOST[name]) throw new Error(`${name} is heavier than ${MOST[name] / 1024} KB`)
}
