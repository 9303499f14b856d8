import './theme.css'
import './app.ts'
