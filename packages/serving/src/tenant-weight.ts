/** How tenants share what the serving plane is short of. */
/** How much of what is short a tenant gets, in proportion to the others; 1 where nothing else was said. */
export type WeightOf = (tenant: string) => number;
