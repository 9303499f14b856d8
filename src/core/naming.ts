/** Complaints about unknown names in requests. */
import { complaint } from '../protocol/complaints.ts'

export const unknownConnection = () => complaint(['conn_id'], 'Unknown connection')
export const unknownUser = () => complaint(['user'], 'Unknown user')
export const unknownChannel = () => complaint(['channel'], 'Unknown channel')
