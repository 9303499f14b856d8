import { MemoryAdminSessions } from '../../src/store/memory/admin-sessions.ts'
import { adminSessionsContract } from '../contract/admin-sessions.ts'

adminSessionsContract('in this process', (clock, limits) => new MemoryAdminSessions(clock, limits))
