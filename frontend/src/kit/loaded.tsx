// Loaded: shows a resource: a skeleton until it is there, what went wrong with a button to try again, or its value. A
// value stays while it is fetched again.

import type { ComponentChildren } from 'preact'
import { explain, isUnknownFunction } from '../lib/problem'
import type { Resource } from '../lib/resource'
import { Notice } from './badge'
import { Button } from './button'
import { Empty, Skeleton } from './table'

export function Loaded<T>({ of, children }: { of: Resource<T>, children: (value: T) => ComponentChildren }) {
  const value = of.data.value, error = of.error.value
  if (value === undefined && error === undefined) return <Skeleton />
  if (value === undefined && isUnknownFunction(error)) return <Empty icon="clock">{explain(error)}</Empty>
  return <>
    {error !== undefined && <Notice state="bad"><div class="row between">
      <span>{explain(error)}</span><Button small icon="refresh" onPress={() => of.reload()}>Try again</Button>
    </div></Notice>}
    {value !== undefined && children(value)}
  </>
}
