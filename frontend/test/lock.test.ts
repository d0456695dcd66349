import { expect, test } from 'vitest'
import lock from '../package-lock.json'
import manifest from '../package.json'

test('the lock file says what the packages are, not where they come from', () => {
  const text = JSON.stringify(lock)
  expect(text).not.toContain('"resolved"')
  expect(text).not.toContain('http')
})

test('versions are exact', () => {
  for (const version of Object.values({ ...manifest.dependencies, ...manifest.devDependencies })) expect(version).toMatch(/^\d+\.\d+\.\d+$/)
})
