import { makeFetch } from "./fetch.ts"
import { makeNotes } from "./NotesV2.ts"

const { AUTHORIZATION_SERVER = "https://auth.example.com", RESOURCE_URL = "http://127.0.0.1:3000/mcp" } = process.env

const notes = await makeNotes({ resource: RESOURCE_URL, authorizationServers: [AUTHORIZATION_SERVER] })

export default { fetch: makeFetch(notes) }
