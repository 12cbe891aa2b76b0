/** How tenants share scarce resources of the serving plane. */
/** Share of a tenant in proportion to other tenants; 1 by default. */
export type WeightOf = (tenant: string) => number;
