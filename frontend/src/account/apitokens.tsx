// Tokens: for scripts that call the functions of these pages.

import * as api from '../api/account'
import { Card, CodeBlock, Page, TokensCard } from '../kit'

export function TokensPage() {
  const root = new URL('.', location.href).href
  return <Page title="API tokens" about="For scripts that do what these pages do.">
    <TokensCard load={api.APITokenList} add={(label, scopes, lifetime) => api.APITokenAdd(label, scopes, lifetime)} remove={api.APITokenRemove} />
    <Card title="How to call" about={<>All functions are described at <a href="api/">{`${root}api/`}</a>; for programs as <a href="api/openapi.json">OpenAPI</a>.</>}>
      <CodeBlock breaks what="the command" text={`curl -H 'Authorization: Bearer TOKEN' --json '{"params":[]}' ${root}api/Account`} />
    </Card>
  </Page>
}
